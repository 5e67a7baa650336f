package netio

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/stacks/netio/proxyproto"
	"github.com/hookd/hookd/stacks/netio/socks5"
)

// behindProxies makes a listener one that believes 127.0.0.1.
func behindProxies(c *SocketConfig) {
	c.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
}

// whoami sends where its peer comes from, and then what it says.
func whoami(t *testing.T) *hooks {
	return &hooks{accept: func(c *Conn) Verdict {
		name := ""
		if h := c.Proxied(); h != nil {
			v, _ := h.Value(proxyproto.Authority)
			name = string(v)
		}
		if !c.Inbound() || c.Listener() == nil {
			t.Error("not accepted")
		}
		_ = c.Send(fmt.Appendf(nil, "%s>%s %s\n", c.Remote(), c.Local(), name))
		return Accept
	}, recv: echo}
}

func TestProxyHeader(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		r := newRig(t, portable)
		ls := r.listen(whoami(t), Options{Handshake: time.Minute}, behindProxies)
		hasty := r.listen(whoami(t), Options{Handshake: 100 * time.Millisecond}, behindProxies)
		var failed []string
		r.do(func() {
			ls.Failed = func(_ netip.AddrPort, why Reason) { failed = append(failed, why.String()) }
			hasty.Failed = ls.Failed
		})
		v2 := proxyproto.Header{
			Version: 2, Source: netip.MustParseAddrPort("[2001:db8::1]:7"), Destination: netip.MustParseAddrPort("[2001:db8::2]:8"),
			TLVs: []proxyproto.TLV{{Type: proxyproto.Authority, Value: []byte("name")}},
		}
		binary, err := v2.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct{ in, want string }{
			{"PROXY TCP4 192.0.2.1 198.51.100.1 8080 80\r\n", "192.0.2.1:8080>198.51.100.1:80 \n"},
			{"PROXY TCP4 192.0.2.1 198.51.100.1 8080 80\r\nhello", "192.0.2.1:8080>198.51.100.1:80 \nhello"},
			{string(binary) + strings.Repeat("x", 5000), "[2001:db8::1]:7>[2001:db8::2]:8 name\n" + strings.Repeat("x", 5000)},
		} {
			for _, pause := range []bool{false, true} {
				conn := r.peer(ls)
				if pause {
					write(t, conn, c.in[:9])
					time.Sleep(5 * time.Millisecond)
					write(t, conn, c.in[9:])
				} else {
					write(t, conn, c.in)
				}
				_ = conn.CloseWrite()
				if got, err := io.ReadAll(conn); string(got) != c.want || err != nil {
					t.Errorf("%.60q: %.80q %v", c.in, got, err)
				}
			}
		}
		conn := r.peer(ls)
		write(t, conn, "PROXY UNKNOWN\r\n")
		if got := read(t, conn, 12); got != conn.LocalAddr().String()[:12] {
			t.Errorf("unknown: %q", got)
		}
		write(t, r.peer(ls), "GET / HTTP/1.0\r\n\r\n")
		_ = r.peer(ls).Close()
		within(t, time.Minute, func() (ok bool) { r.do(func() { ok = len(failed) == 2 }); return ok }, "they fail")
		r.peer(hasty)
		within(t, time.Minute, func() (ok bool) { r.do(func() { ok = len(failed) == 3 }); return ok }, "the silent one fails")
		r.do(func() {
			s := r.l.Stats().Handshakes
			if d := cmp.Diff(HandshakeStats{Proxy: 1, Left: 1, Timeout: 1}, s); d != "" {
				t.Error(failed, d)
			}
		})
		other := r.listen(whoami(t), Options{}, func(c *SocketConfig) { c.Proxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} })
		if got := read(t, r.peer(other), 10); got != "127.0.0.1:" {
			t.Errorf("one who is no proxy: %q", got)
		}
	})
}

// TestProxyLimits counts clients behind a proxy, not the proxy.
func TestProxyLimits(t *testing.T) {
	r := newRig(t, false)
	ls := r.listen(whoami(t), Options{}, behindProxies, func(c *SocketConfig) { c.MaxPerIP = 2 })
	open := func(from string) *net.TCPConn {
		c := r.peer(ls)
		write(t, c, "PROXY TCP4 "+from+" 198.51.100.1 8080 80\r\n")
		return c
	}
	var conns []*net.TCPConn
	for range 2 {
		for _, from := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"} {
			c := open(from)
			if got := read(t, c, len(from)); got != from {
				t.Error(got)
			}
			conns = append(conns, c)
		}
	}
	if n := ls.Socket().From(netip.MustParseAddr("192.0.2.1")); n != 2 {
		t.Errorf("%d counted", n)
	}
	if got, _ := io.ReadAll(open("192.0.2.1")); len(got) != 0 {
		t.Errorf("a third got in: %q", got)
	}
	_ = conns[0].Close()
	within(t, time.Minute, func() bool { return ls.Socket().From(netip.MustParseAddr("192.0.2.1")) == 1 }, "one left")
	if got := read(t, open("192.0.2.1"), 9); got != "192.0.2.1" {
		t.Error(got)
	}
	r.do(func() {
		if n := r.l.Stats().RefusedAddress; n != 1 {
			t.Errorf("%d refused", n)
		}
	})
}

// TestProxyTLS has the header before TLS, sent by our own dial.
func TestProxyTLS(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		r := newRig(t, portable)
		ls := r.listen(whoami(t), Options{}, behindProxies, withTLS(serverTLS()))
		got := make(chan string, 1)
		h := &hooks{recv: func(c *Conn, _ int) {
			if b := c.Bytes(); strings.HasSuffix(string(b), "hello") {
				got <- string(b)
				c.Close()
			}
		}}
		r.do(func() {
			c, err := r.l.Dial(DialConfig{
				Network: "tcp", Address: ls.Addr().String(), TLS: clientTLS(),
				Header: &proxyproto.Header{Version: 1, Source: netip.MustParseAddrPort("192.0.2.1:1"), Destination: netip.MustParseAddrPort("192.0.2.2:2")},
			}, h)
			if err != nil {
				t.Fatal(err)
			}
			_ = c.Send([]byte("hello"))
		})
		if g := <-got; g != "192.0.2.1:1>192.0.2.2:2 \nhello" {
			t.Error(g)
		}
		// Header and hello in one segment.
		raw := r.peer(ls)
		c := tls.Client(&prefixed{raw, []byte("PROXY TCP4 192.0.2.1 198.51.100.1 8080 80\r\n")}, clientTLS())
		if got := read(t, c, 9); got != "192.0.2.1" {
			t.Error(got)
		}
		_ = c.Close()
	})
}

// prefixed puts bytes before what is written first.
type prefixed struct {
	net.Conn
	before []byte
}

func (p *prefixed) Write(b []byte) (int, error) {
	if p.before != nil {
		both := append(p.before, b...)
		p.before = nil
		_, err := p.Conn.Write(both)
		return len(b), err
	}
	return p.Conn.Write(b)
}

// TestProxyCurl has a client by others.
func TestProxyCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		if os.Getenv("HOOKD_CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	r := newRig(t, false)
	h := &hooks{recv: func(c *Conn, _ int) {
		_ = c.Send([]byte("HTTP/1.0 200 OK\r\n\r\n" + c.Remote().Addr().String()))
		c.Close()
	}}
	ls := r.listen(h, Options{}, behindProxies)
	out, err := exec.Command(curl, "-sS", "--haproxy-protocol", "http://"+ls.Addr().String()).CombinedOutput()
	if err != nil || string(out) != "127.0.0.1" {
		t.Errorf("%v: %s", err, out)
	}
}

// socksServer serves one connection after another by a function of the conversation.
func socksServer(t *testing.T, serve func(c net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(time.Minute))
			serve(c)
			_ = c.Close()
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		wg.Wait()
	})
	return ln.Addr().String()
}

// TestSocks dials through SOCKS servers, with TLS and without.
func TestSocks(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		r := newRig(t, portable)
		plain := r.listen(&hooks{recv: echo}, Options{})
		secure := r.listen(&hooks{recv: echo}, Options{}, withTLS(serverTLS()))
		var asked atomic.Value // a string
		relay := func(to *Listener) func(c net.Conn) {
			return func(c net.Conn) {
				read(t, c, 4)
				write(t, c, "\x05\x02")
				read(t, c, len("\x01\x03bob\x02pw"))
				write(t, c, "\x01\x00")
				asked.Store(read(t, c, 4+1+11+2)[5:16])
				up, err := net.Dial("tcp", to.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = c.Write(socks5.AppendReply(nil, 0, netip.AddrPort{}))
				// Not from socket to socket: the pipes of splice(2) would be left open.
				go func() { _, _ = io.Copy(struct{ io.Writer }{up}, c); _ = up.Close() }()
				_, _ = io.Copy(struct{ io.Writer }{c}, up)
			}
		}
		refuse := func(code socks5.Code) func(net.Conn) {
			return func(c net.Conn) {
				read(t, c, 4)
				write(t, c, "\x05\x00")
				read(t, c, 4+1+11+2)
				_, _ = c.Write(socks5.AppendReply(nil, code, netip.AddrPort{}))
				_, _ = io.Copy(io.Discard, c)
			}
		}
		for _, c := range []struct {
			serve func(net.Conn)
			tls   *tls.Config
			want  string
		}{
			{relay(plain), nil, "<nil>"},
			{relay(secure), &tls.Config{RootCAs: testPKI().pool}, "<nil>"},
			{refuse(socks5.Refused), nil, "refused:proxy"},
			{refuse(socks5.HostUnreachable), nil, "unreachable:proxy"},
			{refuse(socks5.NotAllowed), nil, "handshake:proxy"},
			{func(c net.Conn) { write(t, c, "\x05\xff") }, nil, "handshake:proxy"},
			{func(c net.Conn) { read(t, c, 4); write(t, c, "HTTP/1.0 400\r\n\r\n"); _, _ = io.Copy(io.Discard, c) }, nil, "handshake:proxy"},
			{func(c net.Conn) { read(t, c, 4) }, nil, "handshake:left"},
			{func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, nil, "timeout:handshake"},
		} {
			asked.Store("")
			got := make(chan string, 2)
			h := &hooks{connect: func(c *Conn, err error) {
				if why, ok := err.(Reason); ok {
					got <- why.String()
				}
			}, recv: func(c *Conn, _ int) {
				if string(c.Bytes()) == "hello" {
					got <- "<nil>"
					c.Close()
				}
			}}
			wait := time.Minute
			if c.want == "timeout:handshake" {
				wait = 100 * time.Millisecond
			}
			r.do(func() {
				conn, err := r.l.Dial(DialConfig{
					Network: "tcp", Address: "server.test:443", Socks: &SocksConfig{socksServer(t, c.serve), "bob", "pw"},
					TLS: c.tls, Options: Options{Handshake: wait},
				}, h)
				if err != nil {
					t.Fatal(err)
				}
				_ = conn.Send([]byte("hello"))
			})
			if g := <-got; g != c.want || c.want == "<nil>" && asked.Load() != "server.test" {
				t.Errorf("%s, want %s; asked for %q", g, c.want, asked.Load())
			}
		}
		r.do(func() {
			for _, address := range []string{"", "host", "host:0", ":80", strings.Repeat("h", 300) + ":80"} {
				if _, err := r.l.Dial(DialConfig{Network: "tcp", Address: address, Socks: &SocksConfig{Address: "127.0.0.1:1"}}, &hooks{}); err == nil {
					t.Errorf("%.20q was dialled", address)
				}
			}
		})
	})
}
