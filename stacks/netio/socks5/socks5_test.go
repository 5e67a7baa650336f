package socks5

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestServerSide(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in, want string
		err      error
	}{
		{"\x05\x01\x00\x01\x7f\x00\x00\x01\x1f\x90", "127.0.0.1 8080", nil},
		{"\x05\x01\x00\x03\x04host\x00\x50", "host 80", nil},
		{"\x05\x03\x00\x04" + strings.Repeat("\x00", 15) + "\x01\x00\x00", "::1 0", nil},
		{"\x05\x01\x00\x03\x00\x00\x50", "", ErrFormat},
		{"\x05\x01\x01\x01\x7f\x00\x00\x01\x1f\x90", "", ErrFormat},
		{"\x04\x01\x00\x01\x7f\x00\x00\x01\x1f\x90", "", ErrFormat},
		{"\x05\x01\x00\x02\x7f\x00\x00\x01\x1f\x90", "", NoAddressType},
	} {
		for cut := range c.in {
			if r, n, err := ParseRequest([]byte(c.in[:cut])); c.err == nil && (n != 0 || err != nil) {
				t.Errorf("%q cut at %d: %v %d %v", c.in, cut, r, n, err)
			}
		}
		r, n, err := ParseRequest([]byte(c.in + "x"))
		if !errors.Is(err, c.err) || err == nil && (n != len(c.in) || r.Host()+" "+itoa(r.Port) != c.want) {
			t.Errorf("%q: %+v %d %v", c.in, r, n, err)
		}
		if err == nil && string(AppendRequest(nil, r)) != c.in {
			t.Errorf("%q: written %q", c.in, AppendRequest(nil, r))
		}
	}
	if m, n, err := ParseGreeting([]byte("\x05\x02\x00\x02x")); string(m) != "\x00\x02" || n != 4 || err != nil {
		t.Error(m, n, err)
	}
	for _, in := range []string{"\x04", "\x05\x00", "GET "} {
		if _, _, err := ParseGreeting([]byte(in)); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v", in, err)
		}
	}
	if u, p, n, err := ParseLogin([]byte("\x01\x03bob\x02pwx")); u != "bob" || p != "pw" || n != 8 || err != nil {
		t.Error(u, p, n, err)
	}
	if _, _, n, err := ParseLogin([]byte("\x01\x03bob\x02p")); n != 0 || err != nil {
		t.Error(n, err)
	}
	if _, _, _, err := ParseLogin([]byte("\x05\x03bob")); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
	if got := AppendReply(nil, Refused, netip.AddrPort{}); string(got) != "\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00" {
		t.Errorf("%q", got)
	}
}

func itoa(n uint16) string {
	s := netip.AddrPortFrom(netip.IPv4Unspecified(), n).String()
	return s[strings.LastIndex(s, ":")+1:]
}

// TestClient has conversations; what the server says comes byte by byte.
func TestClient(t *testing.T) {
	t.Parallel()
	request := "\x05\x01\x00\x03\x04host\x00\x50"
	reply := "\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x07"
	for _, c := range []struct {
		user, server, sent string
		err                error
	}{
		{"", "\x05\x00" + reply, request, nil},
		{"bob", "\x05\x02\x01\x00" + reply, "\x01\x03bob\x02pw" + request, nil},
		{"bob", "\x05\x00" + reply, request, nil},
		{"bob", "\x05\x02\x01\x01", "\x01\x03bob\x02pw", ErrLogin},
		{"", "\x05\x02", "", ErrLogin},
		{"", "\x05\xff", "", ErrLogin},
		{"", "\x04\x00", "", ErrFormat},
		{"", "\x05\x00\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00", request, Refused},
		{"", "\x05\x00\x05\x00\x00\x09\x00\x00\x00\x00\x00\x00", request, NoAddressType},
		{"", "\x05\x00\x05\x00\x00\x03\x01x\x00\x07", request, nil},
	} {
		cl, err := NewClient("host", 80, c.user, "pw")
		if err != nil {
			t.Fatal(err)
		}
		sent, in := "", ""
		done := false
		for i := 0; i < len(c.server) && err == nil; i++ {
			in += c.server[i : i+1]
			var out []byte
			var n int
			if out, n, done, err = cl.Feed([]byte(in)); err == nil {
				sent += string(out)
				in = in[n:]
			}
		}
		if !errors.Is(err, c.err) || sent != c.sent || done != (c.err == nil) || done && in != "" {
			t.Errorf("%q: sent %q, done %v, %v", c.server, sent, done, err)
		}
	}
	if _, err := NewClient(strings.Repeat("a", 256), 1, "", ""); err == nil {
		t.Error("a name of 256 bytes")
	}
}

// FuzzServer never takes more than there is, and reads again what it wrote.
func FuzzServer(f *testing.F) {
	f.Add([]byte("\x05\x01\x00\x03\x04host\x00\x50"))
	f.Add([]byte("\x05\x02\x00\x02"))
	f.Add([]byte("\x01\x03bob\x02pw"))
	f.Fuzz(func(t *testing.T, p []byte) {
		if r, n, err := ParseRequest(p); err == nil && n > 0 {
			if again, m, err := ParseRequest(AppendRequest(nil, r)); err != nil || !r.Addr.Is4In6() && (m != n || again != r) {
				t.Fatalf("%+v: %+v %d %v", r, again, m, err)
			}
		}
		if m, n, _ := ParseGreeting(p); n > len(p) || len(m) > len(p) {
			t.Fatal(n)
		}
		if _, _, n, _ := ParseLogin(p); n > len(p) {
			t.Fatal(n)
		}
	})
}

// FuzzClient never panics, and ends what it cannot understand.
func FuzzClient(f *testing.F) {
	f.Add([]byte("\x05\x02\x01\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x07"))
	f.Fuzz(func(t *testing.T, p []byte) {
		c, _ := NewClient("host", 80, "bob", "pw")
		for {
			_, n, done, err := c.Feed(p)
			if n > len(p) {
				t.Fatal(n)
			}
			if err != nil || done || n == 0 {
				return
			}
			p = p[n:]
		}
	})
}
