package edge

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// relayTo forwards every request that begins something to one URI, by recorded route.
type relayTo struct {
	in  event.PointID
	uri text
}

// text is set by the test while the loop reads it.
type text struct {
	mu sync.Mutex
	s  string
}

func (x *text) set(s string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.s = s
}

func (x *text) get() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.s
}

// Dispatch implements [event.Dispatcher].
func (r *relayTo) Dispatch(_ *event.Shard, _ event.PointID, e any) event.Verdict {
	if x, ok := e.(*sipev.RequestIn); ok && len(x.M.To().Tag()) == 0 {
		return event.Verdict{Kind: sipev.VerdictRelay, Args: &sipev.RelayArgs{To: r.uri.get(), RecordRoute: true}}
	}
	return event.Verdict{}
}

// edge is a running group with one listener.
type edgeRig struct {
	*Group
	relay *relayTo
	addr  netip.AddrPort
}

func serve(t *testing.T, options ...event.KV) *edgeRig {
	t.Helper()
	r := &edgeRig{Group: New(Config{}), relay: &relayTo{in: sipev.OnRequestIn.ID()}}
	shards := event.NewShards(1, event.Together, 0)
	sh := shards.At(0)
	sh.Enter()
	sh.Bind(r.relay, func(id event.PointID) bool { return id == r.relay.in })
	sh.Leave()
	if err := r.Start(shards); err != nil {
		t.Fatal(err)
	}
	r.declare(t, Listen{Name: "edge", Options: options})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	sh.Enter()
	r.addr = r.ports[0].bound()
	sh.Leave()
	return r
}

// declare makes listeners be the only ones.
func (r *edgeRig) declare(t *testing.T, list ...Listen) {
	t.Helper()
	ch, errs := r.Prepare(list)
	if ch == nil {
		t.Fatal(errs)
	}
	ch.Commit()
}

// end is one end of a call: a socket, and what is read from it.
type end struct {
	t     *testing.T
	proto string
	pc    net.PacketConn
	c     net.Conn
	buf   []byte
	last  netip.AddrPort
}

func dial(t *testing.T, network string, to netip.AddrPort) *end {
	t.Helper()
	c, err := net.Dial(network, to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &end{t: t, proto: strings.ToUpper(network), c: c}
}

func listenUDP(t *testing.T, addr string) *end {
	t.Helper()
	pc, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Skip("no such address here: ", err)
	}
	t.Cleanup(func() { _ = pc.Close() })
	return &end{t: t, proto: "UDP", pc: pc}
}

func (e *end) send(text string) {
	e.t.Helper()
	var err error
	if e.pc != nil {
		_, err = e.pc.WriteTo([]byte(text), net.UDPAddrFromAddrPort(e.last))
	} else {
		_, err = e.c.Write([]byte(text))
	}
	if err != nil {
		e.t.Fatal(err)
	}
}

// read returns the next message, and wants its start line to begin so.
func (e *end) read(start string) *msg.Message {
	e.t.Helper()
	m := parsed(e.t, e.frame())
	if f := m.Check(); f.Found() || !strings.HasPrefix(string(m.StartLine()), start) {
		e.t.Fatalf("%v; want %q, got\n%s", f, start, m.Raw())
	}
	return m
}

func parsed(t *testing.T, raw []byte) *msg.Message {
	t.Helper()
	m := &msg.Message{}
	if err := m.Parse(raw, msg.DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	return m
}

func (e *end) frame() []byte {
	e.t.Helper()
	p := make([]byte, 65536)
	deadline := time.Now().Add(time.Minute)
	if e.pc != nil {
		_ = e.pc.SetReadDeadline(deadline)
		n, from, err := e.pc.ReadFrom(p)
		if err != nil {
			e.t.Fatal(err)
		}
		e.last = from.(*net.UDPAddr).AddrPort()
		return p[:n]
	}
	_ = e.c.SetReadDeadline(deadline)
	for {
		if kind, n, err := new(msg.Framer).Next(e.buf, msg.DefaultLimits()); err == nil && kind == msg.Whole {
			raw := e.buf[:n]
			e.buf = e.buf[n:]
			return raw
		}
		n, err := e.c.Read(p)
		if err != nil {
			e.t.Fatal(err)
		}
		if e.buf = append(e.buf, p[:n]...); e.proto == "UDP" {
			raw := e.buf
			e.buf = nil
			return raw
		}
	}
}

func (e *end) reply(m *msg.Message, code int) {
	e.t.Helper()
	e.send(string(msg.AppendReply(nil, m, &msg.Reply{Code: code, Reason: "Any", Tag: []byte("t"), Fields: []byte("Contact: <sip:callee>\r\n")})))
}

// request builds one of the caller's.
func (e *end) request(method, uri, branch, tag, route string, seq int) string {
	if tag != "" {
		tag = ";tag=" + tag
	}
	return fmt.Sprintf("%s %s SIP/2.0\r\nVia: SIP/2.0/%s %s;branch=z9hG4bK%s;rport\r\nMax-Forwards: 70\r\n%sFrom: <sip:a@x>;tag=a\r\nTo: <sip:b@y>%s\r\nCall-ID: live\r\nCSeq: %d %s\r\nContent-Length: 0\r\n\r\n",
		method, uri, e.proto, e.c.LocalAddr(), branch, route, tag, seq, method)
}

// call makes a whole call from one end to the other.
func call(t *testing.T, caller, callee *end) {
	t.Helper()
	caller.send(caller.request("INVITE", "sip:b@y", "1", "", "", 1))
	caller.read("SIP/2.0 100")
	invite := callee.read("INVITE")
	if n := invite.Count(msg.ViaName); n != 2 || !invite.Has(msg.RecordRoute) {
		t.Errorf("the INVITE is\n%s", invite.Raw())
	}
	callee.reply(invite, 180)
	caller.read("SIP/2.0 180")
	callee.reply(invite, 200)
	ok := caller.read("SIP/2.0 200")
	rr, _ := ok.Get(msg.RecordRoute)
	route := "Route: " + string(rr) + "\r\n"
	target := "sip:" + callee.pc.LocalAddr().String()
	caller.send(caller.request("ACK", target, "2", "t", route, 1))
	callee.read("ACK")
	caller.send(caller.request("BYE", target, "3", "t", route, 2))
	bye := callee.read("BYE")
	if bye.Has(msg.Route) {
		t.Errorf("the BYE is\n%s", bye.Raw())
	}
	callee.reply(bye, 200)
	caller.read("SIP/2.0 200")
}

func TestCalls(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ url, network, callee string }{
		{"udp://127.0.0.1:0", "udp", "127.0.0.1:0"},
		{"udp://[::1]:0", "udp", "[::1]:0"},
		{"udp://0.0.0.0:0", "udp", "127.0.0.1:0"},
	} {
		t.Run(row.url, func(t *testing.T) {
			t.Parallel()
			callee := listenUDP(t, row.callee)
			r := serve(t, event.KV{Key: "url", Value: row.url})
			r.relay.uri.set("sip:" + callee.pc.LocalAddr().String())
			to := r.addr
			if to.Addr().IsUnspecified() {
				to = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), to.Port())
			}
			call(t, dial(t, row.network, to), callee)
		})
	}
}

// TestTCP: a request that comes by TCP goes on by UDP, its replies come back by the
// connection; line ends between messages are answered.
func TestTCP(t *testing.T) {
	t.Parallel()
	callee := listenUDP(t, "127.0.0.1:0")
	r := serve(t, event.KV{Key: "url", Value: "tcp://127.0.0.1:0"})
	tcp := r.addr
	r.declare(t, Listen{Name: "edge", Options: []event.KV{{Key: "url", Value: "tcp://127.0.0.1:0"}}},
		Listen{Name: "inner", Options: []event.KV{{Key: "url", Value: "udp://127.0.0.1:0"}}})
	r.relay.uri.set("sip:" + callee.pc.LocalAddr().String())
	caller := dial(t, "tcp", tcp)
	caller.send("\r\n\r\n")
	pong := make([]byte, 2)
	_ = caller.c.SetReadDeadline(time.Now().Add(time.Minute))
	if n, err := caller.c.Read(pong); err != nil || string(pong[:n]) != "\r\n" {
		t.Fatalf("answered %q, %v", pong[:n], err)
	}
	caller.send(caller.request("INVITE", "sip:b@y", "1", "", "", 1))
	caller.read("SIP/2.0 100")
	invite := callee.read("INVITE")
	callee.reply(invite, 486)
	callee.read("ACK")
	caller.read("SIP/2.0 486")
}

// TestTCPOut: a URI that asks for TCP gets a connection, which is used again.
func TestTCPOut(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	r := serve(t, event.KV{Key: "url", Value: "udp://127.0.0.1:0"})
	r.declare(t, Listen{Name: "edge", Options: []event.KV{{Key: "url", Value: "udp://127.0.0.1:0"}}},
		Listen{Name: "tcp", Options: []event.KV{{Key: "url", Value: "tcp://127.0.0.1:0"}}})
	r.relay.uri.set("sip:" + ln.Addr().String() + ";transport=tcp")
	caller := dial(t, "udp", r.addr)
	caller.send(caller.request("OPTIONS", "sip:b@y", "1", "", "", 1))
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	callee := &end{t: t, proto: "TCP", c: c}
	for i := range 2 {
		if i == 1 {
			caller.send(caller.request("OPTIONS", "sip:b@y", "2", "", "", 2))
		}
		m := callee.read("OPTIONS")
		if via, _ := m.Via(); string(via.Transport) != "TCP" {
			t.Errorf("Via of\n%s", m.Raw())
		}
		callee.reply(m, 200)
		caller.read("SIP/2.0 200")
	}
}

// TestBadStream: what is no SIP on a stream ends it.
func TestBadStream(t *testing.T) {
	t.Parallel()
	r := serve(t, event.KV{Key: "url", Value: "tcp://127.0.0.1:0"})
	c := dial(t, "tcp", r.addr)
	c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	_ = c.c.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := c.c.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("the connection is open: %v", err)
	}
}

func TestDeclarations(t *testing.T) {
	t.Parallel()
	g := New(Config{})
	for _, row := range []struct {
		options []event.KV
		want    string
	}{
		{[]event.KV{{Key: "url", Value: "udp://127.0.0.1:5060"}}, ""},
		{[]event.KV{{Key: "url", Value: "udp://127.0.0.1"}, {Key: "advertise", Value: "sip.example.com"}, {Key: "names", Value: []any{"a", "b"}}, {Key: "idle", Value: "5m"}}, ""},
		{nil, "no url"},
		{[]event.KV{{Key: "url", Value: "http://127.0.0.1"}}, "unknown"},
		{[]event.KV{{Key: "url", Value: "ws://127.0.0.1/sip"}}, ""},
		{[]event.KV{{Key: "url", Value: "wss://127.0.0.1/sip"}}, "need cert"},
		{[]event.KV{{Key: "url", Value: "ws://127.0.0.1/sip?x"}}, "nothing but"},
		{[]event.KV{{Key: "url", Value: "udp://example.com:5060"}}, "address"},
		{[]event.KV{{Key: "url", Value: "udp://127.0.0.1/x"}}, "nothing but"},
		{[]event.KV{{Key: "url", Value: "tls://127.0.0.1"}}, "need cert"},
		{[]event.KV{{Key: "url", Value: "udp://127.0.0.1"}, {Key: "cert", Value: "x"}}, "wss:// alone"},
		{[]event.KV{{Key: "url", Value: "udp://127.0.0.1"}, {Key: "advertise", Value: "a b"}}, "HOST"},
		{[]event.KV{{Key: "url", Value: "udp://127.0.0.1"}, {Key: "idle", Value: "soon"}}, "time"},
		{[]event.KV{{Key: "url", Value: "udp://127.0.0.1"}, {Key: "colour", Value: "red"}}, "unknown"},
		{[]event.KV{{Key: "url", Value: "tls://127.0.0.1"}, {Key: "cert", Value: "none.pem"}, {Key: "key", Value: "none.pem"}}, ""},
	} {
		_, errs := g.Prepare([]Listen{{Name: "x", Options: row.options, Dir: "."}})
		got := ""
		if len(errs) != 0 && errs[0] != nil {
			got = errs[0].Error()
		}
		if !strings.Contains(got, row.want) || (row.want == "") != (got == "") {
			t.Errorf("%v: %q, want %q", row.options, got, row.want)
		}
	}
}

// TestReconcile: all or none, and what is unchanged stays open.
func TestReconcile(t *testing.T) {
	t.Parallel()
	url := func(u string) []event.KV { return []event.KV{{Key: "url", Value: u}} }
	r := serve(t, url("udp://127.0.0.1:0")...)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	ch, errs := r.Prepare([]Listen{{Name: "edge", Options: url("udp://127.0.0.1:0")}, {Name: "other", Options: url("udp://127.0.0.1:0")}, {Name: "bad", Options: url("tcp://" + taken.Addr().String())}})
	if ch != nil || errs[2] == nil {
		t.Fatalf("%v, %v", ch, errs)
	}
	// Who opens listeners reads keys, who checks scripts does not.
	ch, errs = r.Prepare([]Listen{{Name: "tls", Options: options("tls://127.0.0.1:0", "cert", "none.pem", "key", "none.pem"), Dir: "."}})
	if ch != nil || errs[0] == nil || !strings.Contains(errs[0].Error(), "certificate") {
		t.Fatalf("%v, %v", ch, errs)
	}
	r.declare(t, Listen{Name: "edge", Options: url("udp://127.0.0.1:0")}, Listen{Name: "other", Options: url("udp://127.0.0.1:0")})
	r.shard.Enter()
	if len(r.ports) != 2 || r.ports[0].bound() != r.addr {
		t.Errorf("%d listeners, the first at %v, was at %v", len(r.ports), r.ports[0].bound(), r.addr)
	}
	r.shard.Leave()
	r.declare(t)
	r.shard.Enter()
	if len(r.ports) != 0 {
		t.Errorf("%d listeners are left", len(r.ports))
	}
	r.shard.Leave()
}
