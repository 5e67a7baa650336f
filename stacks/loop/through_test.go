package loop

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/netio/proxyproto"
)

func TestProxiesAndSocks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		v    any
		want string
	}{
		{"10.0.0.0/8", "10.0.0.0/8"},
		{[]any{"127.0.0.1", "2001:db8::/32", "192.0.2.7/24"}, "127.0.0.1/32 2001:db8::/32 192.0.2.0/24"},
		{"what", "error"},
		{[]any{}, "error"},
		{true, "error"},
	} {
		list, err := parseProxies(c.v)
		var got []string
		for _, p := range list {
			got = append(got, p.String())
		}
		if err != nil {
			got = []string{"error"}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%v: %s %v", c.v, s, err)
		}
	}
	s, err := parseSocks([]event.KV{kv("address", "127.0.0.1:1080"), kv("user", "bob"), kv("password", "pw")})
	if err != nil || s.Address != "127.0.0.1:1080" || s.User != "bob" || s.Password != "pw" {
		t.Error(s, err)
	}
	for _, v := range []any{"nowhere", true, []event.KV{kv("what", "x")}} {
		if _, err := parseSocks(v); err == nil {
			t.Errorf("%v was taken", v)
		}
	}
}

// TestBelievesProxies sees the client behind a proxy, before TLS and anything else.
func TestBelievesProxies(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	at := r.listen("web", kv("url", "tcp://127.0.0.1:0"), kv("proxies", "127.0.0.0/8"))
	var from string
	r.do(func() {
		r.handle = func(name string, c *Conn, e any) event.Verdict {
			if name == "loop.accept" {
				from = c.Client().Endpoint().String() + " " + c.Server().Endpoint().String()
			}
			return echo(name, c, e)
		}
	})
	c := r.peer(at)
	write(t, c, "PROXY TCP4 192.0.2.1 198.51.100.1 8080 80\r\nhello")
	if got := read(t, c, 5); got != "hello" {
		t.Error(got)
	}
	r.do(func() {
		if from != "192.0.2.1:8080 198.51.100.1:80" {
			t.Error(from)
		}
	})
	// One that took TLS off says what was agreed on in it.
	header := proxyproto.Header{
		Version: 2, Source: netip.MustParseAddrPort("192.0.2.1:8080"), Destination: netip.MustParseAddrPort("198.51.100.1:443"),
		TLVs: []proxyproto.TLV{{Type: proxyproto.Authority, Value: []byte("a.example")}, {Type: proxyproto.ALPN, Value: []byte("h2")}},
	}
	text, err := header.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	var name, alpn string
	r.serve(func(what string, c *Conn, e any) event.Verdict {
		name, _ = c.SNI()
		alpn, _ = c.ALPN()
		return echo(what, c, e)
	})
	c = r.peer(at)
	write(t, c, string(text)+"hello")
	read(t, c, 5)
	r.do(func() {
		if name != "a.example" || alpn != "h2" {
			t.Errorf("name %q, protocol %q", name, alpn)
		}
	})
	write(t, r.peer(at), "GET / HTTP/1.0\r\n\r\n")
	r.logged("L error proxy")
}
