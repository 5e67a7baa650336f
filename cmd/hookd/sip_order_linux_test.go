package main

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookd/hookd/spec/testbed"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// TestSIPOrder has a callee send 180 and 200 at once, as fast as calls come: no caller gets
// them the other way round.
func TestSIPOrder(t *testing.T) {
	t.Parallel()
	calls, rate := 300, 1000
	if testbed.Proving() {
		calls, rate = 60_000, 1000
	}
	r := policyServed(t, "../../examples/sip-relay/main.lua")
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	callee, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, uint16(r.callee))))
	if err != nil {
		t.Fatal(err)
	}
	defer callee.Close()
	go ringAndAnswer(callee)
	heard := &order{peer: newSIPPeer(t), final: make([]bool, calls)}
	_ = heard.peer.pc.SetReadBuffer(4 << 20)
	go heard.read()
	at := netip.AddrPortFrom(loopback, uint16(r.edge))
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := range calls {
		heard.peer.send(at, heard.invite(i))
		if i%(rate/100) == 0 {
			<-tick.C
		}
	}
	// What a full socket lost is sent again, as phones do.
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		missing := heard.missing()
		if len(missing) == 0 {
			break
		}
		for _, i := range missing {
			heard.peer.send(at, heard.invite(i))
		}
	}
	left := len(heard.missing())
	heard.mu.Lock()
	defer heard.mu.Unlock()
	t.Logf("%d calls at %d calls/s: %d times 180 came before the 200, %d times behind it", calls, rate, heard.before, heard.behind)
	if heard.behind != 0 || left != 0 || heard.before < calls*9/10 {
		t.Errorf("%d calls without an answer", left)
	}
}

// order notes in which order the replies of each call come.
type order struct {
	peer           *sipPeer
	mu             sync.Mutex
	final          []bool // of each call, whether its 200 came
	before, behind int    // 180s, by that
}

// read takes replies until the socket is closed.
func (o *order) read() {
	buf := make([]byte, 65536)
	for {
		n, _, err := o.peer.pc.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		var m msg.Message
		if m.Parse(buf[:n], msg.DefaultLimits()) != nil {
			continue
		}
		i, err := strconv.Atoi(strings.TrimPrefix(string(m.CallID()), "order"))
		if err != nil {
			continue
		}
		o.mu.Lock()
		switch {
		case m.Status() == 200:
			o.final[i] = true
		case m.Status() == 180 && o.final[i]:
			o.behind++
		case m.Status() == 180:
			o.before++
		}
		o.mu.Unlock()
	}
}

// missing lists the calls that have no answer.
func (o *order) missing() []int {
	o.mu.Lock()
	defer o.mu.Unlock()
	var list []int
	for i, final := range o.final {
		if !final {
			list = append(list, i)
		}
	}
	return list
}

func (o *order) invite(i int) []byte {
	return fmt.Appendf(nil, "INVITE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP %[1]s;branch=z9hG4bK%[2]d\r\nMax-Forwards: 70\r\n"+
		"From: <sip:a@%[1]s>;tag=a\r\nTo: <sip:b@example.com>\r\nCall-ID: order%[2]d\r\nCSeq: 1 INVITE\r\nContact: <sip:a@%[1]s>\r\nContent-Length: 0\r\n\r\n", o.peer, i)
}

// ringAndAnswer answers INVITEs twice at once, until the socket is closed.
func ringAndAnswer(pc *net.UDPConn) {
	buf := make([]byte, 65536)
	for {
		n, from, err := pc.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		var m msg.Message
		if m.Parse(buf[:n], msg.DefaultLimits()) != nil || m.Method() != msg.Invite {
			continue
		}
		for _, code := range []int{180, 200} {
			_, _ = pc.WriteToUDPAddrPort(msg.AppendReply(nil, &m, &msg.Reply{Code: code, Reason: msg.ReasonOf(code), Tag: []byte("t")}), from)
		}
	}
}
