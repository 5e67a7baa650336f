package edge

import (
	"crypto/tls"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// TestTransports: a caller by each transport and address family calls a callee by UDP. Both
// stay with what they speak: each has its own side of this server as its route.
func TestTransports(t *testing.T) {
	t.Parallel()
	cert, key, pool := certificates(t)
	files := []string{"cert", cert, "key", key}
	plain := func(addr string) (net.Conn, error) { return net.Dial("tcp", addr) }
	secure := func(addr string) (net.Conn, error) { return tls.Dial("tcp", addr, &tls.Config{RootCAs: pool}) }
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		for _, row := range []struct {
			scheme string
			more   []string
			dial   func(addr string) (net.Conn, error)
		}{{"tcp", nil, plain}, {"tls", files, secure}, {"ws", nil, plain}, {"wss", files, secure}} {
			t.Run(row.scheme+" "+host, func(t *testing.T) {
				t.Parallel()
				callee := listenUDP(t, host+":0")
				edge := Listen{Name: "edge", Options: options(row.scheme+"://"+host+":0", row.more...)}
				r := serve(t, edge.Options...)
				r.declare(t, edge, Listen{Name: "inner", Options: options("udp://" + host + ":0")})
				r.relay.uri.set("sip:" + callee.pc.LocalAddr().String())
				c, err := row.dial(r.addr.String())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if strings.HasPrefix(row.scheme, "ws") {
					c, _ = shakeHands(t, c)
				}
				dialog(t, r, &end{t: t, proto: strings.ToUpper(row.scheme), c: c}, callee)
			})
		}
	}
}

// dialog makes a call, in which both ends send requests by the route that they learnt.
func dialog(t *testing.T, r *edgeRig, caller, callee *end) {
	t.Helper()
	caller.send(caller.request("INVITE", "sip:b@y", "1", "", "", 1))
	caller.read("SIP/2.0 100")
	invite := callee.read("INVITE")
	sides := values(invite)
	want := []string{"<sip:" + r.at("inner").String() + ";lr;hkd=", "<sip:" + r.at("edge").String() + ";transport=" + strings.ToLower(caller.proto) + ";lr;hkd="}
	if !slices.EqualFunc(sides, want, strings.HasPrefix) {
		t.Errorf("recorded %q, want %q", sides, want)
	}
	callee.reply(invite, 200)
	learnt := values(caller.read("SIP/2.0 200"))
	slices.Reverse(learnt)
	route := "Route: " + strings.Join(learnt, ", ") + "\r\n"
	caller.send(caller.request("ACK", "sip:"+callee.pc.LocalAddr().String(), "2", "t", route, 1))
	if ack := callee.read("ACK"); ack.Has(msg.Route) {
		t.Errorf("the ACK is\n%s", ack.Raw())
	}
	bye := "BYE sip:a@" + caller.c.LocalAddr().String() + ";transport=" + strings.ToLower(caller.proto) + " SIP/2.0\r\n" +
		"Via: SIP/2.0/UDP " + callee.pc.LocalAddr().String() + ";branch=z9hG4bKbye\r\nMax-Forwards: 70\r\nRoute: " + strings.Join(sides, ", ") + "\r\n" +
		"From: <sip:b@y>;tag=t\r\nTo: <sip:a@x>;tag=a\r\nCall-ID: live\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n"
	callee.send(bye)
	hung := caller.read("BYE")
	if via, _ := hung.Via(); hung.Has(msg.Route) || string(via.Transport) != caller.proto {
		t.Errorf("the BYE is\n%s", hung.Raw())
	}
	caller.reply(hung, 200)
	callee.read("SIP/2.0 200")
}

func values(m *msg.Message) []string {
	var list []string
	for v := m.Values(msg.RecordRoute); v.Next(); {
		list = append(list, string(v.Value()))
	}
	return list
}

// TestLongRequests: what is too long for a datagram goes by TCP, and where nobody takes
// that by UDP after all.
func TestLongRequests(t *testing.T) {
	t.Parallel()
	callee := listenUDP(t, "127.0.0.1:0")
	r := serve(t, options("udp://127.0.0.1:0")...)
	udp := Listen{Name: "edge", Options: options("udp://127.0.0.1:0")}
	r.declare(t, udp, Listen{Name: "tcp", Options: options("tcp://127.0.0.1:0")})
	r.relay.uri.set("sip:" + callee.pc.LocalAddr().String())
	caller := dial(t, "udp", r.addr)
	long := func(branch string) string {
		return strings.Replace(caller.request("MESSAGE", "sip:b@y", branch, "", "", 1), "Content-Length: 0\r\n\r\n",
			"Content-Length: 2000\r\n\r\n"+strings.Repeat("x", 2000), 1)
	}
	for _, branch := range []string{"1", "1a"} {
		caller.send(long(branch))
		m := callee.read("MESSAGE")
		if via, _ := m.Via(); string(via.Transport) != "UDP" || len(m.Body()) != 2000 {
			t.Errorf("where nobody takes TCP it is\n%s", m.Head())
		}
		callee.reply(m, 200)
		caller.read("SIP/2.0 200")
	}
	if st := r.Stats(); st.Undelivered != 1 {
		t.Errorf("TCP was tried %d times", st.Undelivered)
	}
	both := listenUDP(t, "127.0.0.1:0")
	at := both.pc.LocalAddr().String()
	r.relay.uri.set("sip:" + at)
	ln, err := net.Listen("tcp", at)
	if err != nil {
		t.Skip("the port is taken: ", err)
	}
	defer ln.Close()
	caller.send(long("2"))
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	stream := &end{t: t, proto: "TCP", c: c}
	m := stream.read("MESSAGE")
	if via, _ := m.Via(); string(via.Transport) != "TCP" || len(m.Body()) != 2000 {
		t.Errorf("by TCP it is\n%s", m.Head())
	}
	stream.reply(m, 200)
	caller.read("SIP/2.0 200")
	// Who says that it serves UDP alone has its requests by UDP.
	r.declare(t, udp)
	caller.send(long("3"))
	both.reply(both.read("MESSAGE"), 200)
	caller.read("SIP/2.0 200")
}

// TestLongAck: an ACK that nobody takes by TCP leaves by UDP from the address that it was
// to leave from.
func TestLongAck(t *testing.T) {
	t.Parallel()
	callee := listenUDP(t, "127.0.0.1:0")
	r := serve(t, options("udp://127.0.0.1:0")...)
	r.declare(t, Listen{Name: "edge", Options: options("udp://127.0.0.1:0")}, Listen{Name: "inner", Options: options("udp://127.0.0.1:0")})
	r.relay.uri.set("sip:" + callee.pc.LocalAddr().String())
	caller := dial(t, "udp", r.addr)
	caller.send(caller.request("INVITE", "sip:b@y", "1", "", "", 1))
	caller.read("SIP/2.0 100")
	callee.reply(callee.read("INVITE"), 200)
	route := "Route: " + strings.Join(values(caller.read("SIP/2.0 200")), ", ") + "\r\n"
	caller.send(caller.request("ACK", "sip:"+callee.pc.LocalAddr().String(), "2", "t", route, 1))
	ack := slices.Clone(callee.read("ACK").Raw())
	r.shard.Enter()
	inner := r.ports[1].bound()
	err := r.Send(sip.Hop{Proto: sipev.TransportTCP, Local: inner, Remote: callee.pc.LocalAddr().(*net.UDPAddr).AddrPort(), Stretch: true}, ack)
	r.shard.Leave()
	if err != nil {
		t.Fatal(err)
	}
	callee.read("ACK")
	if callee.last != inner {
		t.Errorf("it left from %v, want %v", callee.last, inner)
	}
}

// TestIdle: a connection that is silent for too long ends.
func TestIdle(t *testing.T) {
	t.Parallel()
	r := serve(t, event.KV{Key: "url", Value: "tcp://127.0.0.1:0"}, event.KV{Key: "idle", Value: 0.05})
	c := dial(t, "tcp", r.addr)
	if _, err := c.c.Read(make([]byte, 1)); err == nil {
		t.Error("it is open")
	}
}
