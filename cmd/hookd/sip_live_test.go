package main

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/stacks/sip/edge"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// sipPeer is a UDP socket that speaks SIP.
type sipPeer struct {
	t  testing.TB
	pc *net.UDPConn
}

func newSIPPeer(t testing.TB) *sipPeer {
	t.Helper()
	pc, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.Close() })
	return &sipPeer{t, pc}
}

func (p *sipPeer) String() string { return p.pc.LocalAddr().String() }

// read returns the next message, and where it came from; ok is false when none came in
// that time.
func (p *sipPeer) read(within time.Duration) (m *msg.Message, from netip.AddrPort, ok bool) {
	buf := make([]byte, 65536)
	_ = p.pc.SetReadDeadline(time.Now().Add(within))
	n, from, err := p.pc.ReadFromUDPAddrPort(buf)
	if err != nil {
		return nil, from, false
	}
	m = &msg.Message{}
	if err := m.Parse(buf[:n], msg.DefaultLimits()); err != nil || m.Check().Found() {
		p.t.Errorf("%v\n%s", err, buf[:n])
		return nil, from, false
	}
	return m, from, true
}

// take reads a message and wants its start line to begin so.
func (p *sipPeer) take(start string) (*msg.Message, netip.AddrPort) {
	p.t.Helper()
	m, from, ok := p.read(10 * time.Second)
	if !ok {
		p.t.Fatalf("no %s came", start)
	}
	if !strings.HasPrefix(string(m.StartLine()), start) {
		p.t.Fatalf("want %s, got\n%s", start, m.Raw())
	}
	return m, from
}

func (p *sipPeer) send(to netip.AddrPort, text []byte) {
	p.t.Helper()
	if _, err := p.pc.WriteToUDPAddrPort(text, to); err != nil {
		p.t.Fatal(err)
	}
}

// answer takes a request and answers it.
func (p *sipPeer) answer(method string, r msg.Reply) *msg.Message {
	p.t.Helper()
	m, from := p.take(method)
	p.send(from, msg.AppendReply(nil, m, &r))
	return m
}

// TestSIPOwnRequests has scripts send requests of the server's own, waiting for replies
// and not.
func TestSIPOwnRequests(t *testing.T) {
	t.Parallel()
	callee := newSIPPeer(t)
	h := newSocketHouse(t, fmt.Sprintf(`
sip.listen "edge" { url = "udp://127.0.0.1:0" }
local uri = "sip:bob@%[1]s"
rule "go" { on = hookd.start, run = function() spawn(function()
  local r = assert(sip.request { method = "OPTIONS", uri = uri, headers = { Subject = "hello" } })
  log.info("options", { code = r.code, reason = r.reason, server = r.headers.server, body = r.body, faked = r.faked_by })
  local r = sip.request { method = "OPTIONS", uri = uri, timeout = "50ms" }
  log.info("silence", { code = r.code, faked = r.faked_by })
  local r, err = sip.request { method = "OPTIONS", uri = "http://x" }
  log.info("wrong", { err = err })
  local r = sip.request { method = "INVITE", uri = uri, from = "sip:me@here", body = "v=0\r\n", type = "application/sdp" }
  log.info("call", { code = r.code, contact = r.headers.contact })
  local bye = sip.request { method = "BYE", uri = uri, from = r.headers.from, to = r.headers.to, call_id = r.headers["call-id"], cseq = 2 }
  log.info("bye", { code = bye.code })
  local tx = assert(sip.send { method = "INVITE", uri = uri })
  assert(tx.is_local and tx.request == nil and tx.method == "INVITE")
  tx:on(sip.local_completed, function(tx, m) log.info("done", { code = m.code, tx = tx.id }) end)
  tx:on(sip.local_response_out, function(tx, m) log.info("rings", { code = m.code, ok = tx:cancel() }) end)
end) end }
rule "agent" { on = sip.local_request_in, run = function(tx, m) m:set_header("User-Agent", "test") end }
`, callee), edge.New(edge.Config{}))
	m := callee.answer("OPTIONS", msg.Reply{Code: 200, Reason: "Fine", Tag: []byte("t"), Fields: []byte("Server: x\r\n"), Body: []byte("hi")})
	if agent, _ := m.Get(msg.UserAgent); string(agent) != "test" || !m.Has(msg.Subject) || !m.Has(msg.Contact) {
		t.Errorf("OPTIONS is\n%s", m.Raw())
	}
	h.said(`msg=options rule=go script=t.lua code=200 reason=Fine server=x body=hi faked=none`)
	callee.take("OPTIONS")
	h.said(`msg=silence rule=go script=t.lua code=408 faked=timer`)
	h.said("msg=wrong rule=go script=t.lua err=\"sip.request: sip: make request")
	invite := callee.answer("INVITE", msg.Reply{Code: 200, Reason: "OK", Tag: []byte("t2"), Fields: []byte("Contact: <sip:bob@" + callee.String() + ">\r\n")})
	if from, err := invite.Address(msg.From); err != nil || string(from.URI) != "sip:me@here" || !invite.ContentTypeIs("application/sdp") {
		t.Errorf("INVITE is\n%s", invite.Raw())
	}
	callee.take("ACK")
	h.said("msg=call rule=go script=t.lua code=200 contact=")
	bye := callee.answer("BYE", msg.Reply{Code: 200, Reason: "OK"})
	if to, _ := bye.Address(msg.To); string(to.Tag()) != "t2" || string(bye.CallID()) != string(invite.CallID()) {
		t.Errorf("BYE is\n%s", bye.Raw())
	}
	h.said("msg=bye rule=go script=t.lua code=200")
	given, from := callee.take("INVITE")
	callee.send(from, msg.AppendReply(nil, given, &msg.Reply{Code: 180, Reason: "Ringing", Tag: []byte("t3")}))
	h.said("code=180 ok=true")
	callee.answer("CANCEL", msg.Reply{Code: 200, Reason: "OK", Tag: []byte("t3")})
	callee.send(from, msg.AppendReply(nil, given, &msg.Reply{Code: 487, Reason: "Request Terminated", Tag: []byte("t3")}))
	callee.take("ACK")
	h.said("code=487 tx=")
	if n := h.engine.Stats().Errors; n != 0 {
		t.Errorf("%d errors", n)
	}
}
