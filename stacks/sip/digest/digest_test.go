package digest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/stacks/sip/msg"
)

// The examples of RFC 7616, 3.9.1, in MD5 and SHA-256, and of 3.9.2 without userhash.
func TestResponses(t *testing.T) {
	t.Parallel()
	const of = `Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=%A, ` +
		`nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, ` +
		`response="%R", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`
	for _, row := range []struct{ algorithm, response string }{
		{"MD5", "8ca523f5e9506fed4657c9700eebdbec"},
		{"SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
		{"sha-256", "753927FA0E85D155564E2E272A28D1802CA10DAF4496794697CF8DB5856CB6C1"},
	} {
		c, err := Parse([]byte(strings.NewReplacer("%A", row.algorithm, "%R", row.response).Replace(of)))
		if err != nil {
			t.Fatal(err)
		}
		secret := &Secret{Password: "Circle of Life"}
		if !c.Match(secret, "GET", nil) {
			t.Errorf("%s: the RFC's response is not taken", row.algorithm)
		}
		hashed := &Secret{HA1: map[Algorithm]string{c.Algorithm: HA1(c.Algorithm, "Mufasa", "http-auth@example.org", "Circle of Life")}}
		if !c.Match(hashed, "GET", nil) || c.Match(hashed, "PUT", nil) {
			t.Errorf("%s: by HA1 another thing is taken", row.algorithm)
		}
		if c.Match(&Secret{Password: "circle of life"}, "GET", nil) {
			t.Errorf("%s: a wrong password is taken", row.algorithm)
		}
		other := &Secret{HA1: map[Algorithm]string{SHA512256: strings.Repeat("0", 64)}, Password: "Circle of Life"}
		if c.Match(other, "GET", nil) {
			t.Errorf("%s: a secret of another algorithm is taken", row.algorithm)
		}
	}
}

// What a client of ours says is what a server of ours takes, by every algorithm.
func TestAnswerMatches(t *testing.T) {
	t.Parallel()
	n := NewNonces(time.Minute, 4)
	for a := range algorithms {
		for _, qop := range []string{"auth", "auth-int", "auth-int,auth"} {
			ch := Challenge{Realm: `a "b" \c`, Nonce: n.Make(`a "b" \c`, 1), Algorithm: a, QOP: qop, Opaque: "o", Stale: true}
			read, err := ParseChallenge([]byte(ch.String()))
			if err != nil || *read != ch {
				t.Fatalf("%s is read as %+v, %v", &ch, read, err)
			}
			value, err := read.Answer("alice", &Secret{Password: "x"}, "REGISTER", "sip:h", []byte("body"))
			if err != nil {
				t.Fatal(err)
			}
			c, err := Parse([]byte(value))
			if err != nil || !c.Match(&Secret{Password: "x"}, "REGISTER", []byte("body")) {
				t.Errorf("%s, %s: %v", a, value, err)
			}
			if qop == "auth-int" && c.Match(&Secret{Password: "x"}, "REGISTER", []byte("other")) {
				t.Errorf("%s: another body is taken", a)
			}
		}
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	good := `Digest username="u", realm="r", nonce="n", uri="sip:h", response="x", algorithm=MD5, qop=auth, nc=00000001, cnonce="c"`
	if _, err := Parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{"Digest", "Basic"},
		{"MD5", "MD6"},
		{"qop=auth", "qop=none"},
		{", qop=auth", ""},
		{"00000001", "1"},
		{"00000001", "00000000"},
		{"00000001", "0000000g"},
		{`cnonce="c"`, `cnonce=""`},
		{`username="u"`, `username=""`},
		{`uri="sip:h", `, ""},
	} {
		if _, err := Parse([]byte(strings.Replace(good, change[0], change[1], 1))); !errors.Is(err, ErrMalformed) {
			t.Errorf("with %q: %v", change[1], err)
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	var m msg.Message
	text := "REGISTER sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n" +
		"Authorization: Basic eA==\r\nAuthorization: Digest username=\"u\", realm=\"a\", nonce=\"n\", uri=\"sip:h\", response=\"x\", qop=auth, nc=00000001, cnonce=\"c\"\r\n" +
		"Proxy-Authorization: Digest realm=\"b\"\r\n\r\n"
	if err := m.Parse([]byte(text), msg.DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	if c, err := Find(&m, "a", false); err != nil || c.User != "u" {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := Find(&m, "a", true); !errors.Is(err, ErrAbsent) {
		t.Errorf("of the other field: %v", err)
	}
	if _, err := Find(&m, "b", true); !errors.Is(err, ErrMalformed) {
		t.Errorf("half of one: %v", err)
	}
}

func TestNonces(t *testing.T) {
	t.Parallel()
	const second = int64(time.Second)
	n := NewNonces(10*time.Second, 2)
	use := func(nonce string, count uint32, at int64) error {
		return n.Use(&Credentials{Nonce: nonce, Realm: "r", Count: count}, at, true)
	}
	first := n.Make("r", second)
	for _, row := range []struct {
		count uint32
		taken bool
	}{{1, true}, {1, false}, {4, true}, {3, true}, {3, false}, {2, true}, {1, false}, {100, true}, {99, true}, {99, false}, {36, true}, {35, false}, {4, false}} {
		if err := use(first, row.count, 2*second); (err == nil) != row.taken {
			t.Errorf("count %d: %v", row.count, err)
		}
	}
	for name, nonce := range map[string]string{
		"of another realm": n.Make("s", second), "made up": "AAAA", "changed": "B" + first[1:], "of another process": NewNonces(time.Hour, 1).Make("r", second),
		"of later": n.Make("r", 3*second), "empty": "",
	} {
		if err := use(nonce, 1, 2*second); !errors.Is(err, ErrStale) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := use(first, 101, 12*second); !errors.Is(err, ErrStale) {
		t.Errorf("too old: %v", err)
	}
	second1, second2, third := n.Make("r", 20*second), n.Make("r", 21*second), n.Make("r", 22*second)
	for _, nonce := range []string{second1, second2, third} {
		if err := use(nonce, 1, 22*second); err != nil {
			t.Error(err)
		}
	}
	if err := use(second1, 1, 22*second); !errors.Is(err, ErrStale) {
		t.Errorf("a nonce that was forgotten is played back: %v", err)
	}
	if s := n.Stats(); s.Known != 2 || s.Crowded != 1 || s.Replayed != 6 || s.Stale != 8 {
		t.Errorf("%+v", s)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`Digest username="u\"", realm="r", nonce="n", uri="sip:h", response="x", algorithm=MD5, qop=auth, nc=00000001, cnonce="c"`))
	f.Add([]byte(`Digest nonce="n", qop="auth,auth-int", algorithm=SHA-256-sess, stale=true, realm=""`))
	f.Fuzz(func(t *testing.T, value []byte) {
		if c, err := Parse(value); err == nil {
			c.Match(&Secret{Password: "x"}, "INVITE", nil)
			_ = NewNonces(time.Minute, 1).Use(c, 1, true)
		}
		if ch, err := ParseChallenge(value); err == nil {
			again, err := ParseChallenge([]byte(ch.String()))
			if err != nil || again.Nonce != strings.NewReplacer("\r", " ", "\n", " ").Replace(ch.Nonce) {
				t.Errorf("%q becomes %+v, %v", value, again, err)
			}
			if a, err := ch.Answer("u", &Secret{Password: "x"}, "INVITE", "sip:h", nil); err == nil && strings.ContainsAny(a, "\r\n") {
				t.Errorf("%q holds a line end", a)
			}
		}
	})
}
