package digest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestInfo has the credentials of RFC 7616, 3.9.1, whose response it gives for MD5 and SHA-256
// with auth; the other values were computed by another implementation of its formulas.
func TestInfo(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ algorithm, qop, response, rspauth string }{
		{"MD5", "auth", "8ca523f5e9506fed4657c9700eebdbec", "9b712497bc9f91499fbcca1dfc5f09a5"},
		{"MD5", "auth-int", "8804a53d3640a40a4f73cea12c5ba451", "b8bb5f1414cea949797a3054351cf133"},
		{"MD5-sess", "auth", "e783283f46242139c486a698fec7211d", "b9bdf5673282d64412df46ad40660539"},
		{"SHA-256", "auth", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1", "86d3b25618d41854ca5039a5d7e53ff6355d5134a9b1fb088a78ac3c462195a0"},
		{"SHA-256-sess", "auth-int", "3c19fbb1d58d0c5baff1a2ef49d847b5d0dfd7e3252b355d978d3af7d895912b", "3e22572f02fcb686f9f8ecff32d828c5c26617e77eda321bbd0de328afe89ce2"},
		{"SHA-512-256", "auth", "430d05014cecc49cab6fbe03176d41a1da86cbfe24a16580e22aaad928d960d0", "c8f9593a4f49b95ce2c483cc3222ecd360a5c6ec52ca24a530b0aac18478de8c"},
	} {
		const cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
		c, err := Parse(fmt.Appendf(nil, `Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=%s, `+
			`nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, cnonce="%s", qop=%s, response="%s"`, row.algorithm, cnonce, row.qop, row.response))
		if err != nil {
			t.Fatal(err)
		}
		right := &Secret{Password: "Circle of Life"}
		want := fmt.Sprintf(`qop=%s, rspauth="%s", cnonce="%s", nc=00000001`, row.qop, row.rspauth, cnonce)
		if got, err := c.Info(right, "GET", nil, []byte("Hello"), ""); err != nil || got != want {
			t.Errorf("%s, %s: %s, %v, want %s", row.algorithm, row.qop, got, err, want)
		}
		if got, err := c.Info(right, "GET", nil, []byte("Hello"), `a"b`); err != nil || got != `nextnonce="a\"b", `+want {
			t.Errorf("%s, %s: %s, %v", row.algorithm, row.qop, got, err)
		}
		hashed := &Secret{HA1: map[Algorithm]string{c.Algorithm.Plain(): strings.ToUpper(HA1(c.Algorithm, "Mufasa", "http-auth@example.org", "Circle of Life"))}}
		if got, err := c.Info(hashed, "GET", nil, []byte("Hello"), ""); err != nil || got != want {
			t.Errorf("%s, %s, by its hash: %s, %v", row.algorithm, row.qop, got, err)
		}
		// Who is not known gets nothing to guess with.
		for _, wrong := range []*Secret{{Password: "circle of life"}, {HA1: map[Algorithm]string{SHA512256: strings.Repeat("0", 64)}}} {
			if got, err := c.Info(wrong, "GET", nil, nil, ""); !errors.Is(err, ErrWrong) || got != "" {
				t.Errorf("%s: to another secret it says %q, %v", row.algorithm, got, err)
			}
		}
		if got, err := c.Info(right, "PUT", nil, nil, ""); !errors.Is(err, ErrWrong) || got != "" {
			t.Errorf("%s: of another request it says %q, %v", row.algorithm, got, err)
		}
	}
}
