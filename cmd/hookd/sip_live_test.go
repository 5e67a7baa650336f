package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookd/hookd/spec/testbed"
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
	m, from, ok := p.read(time.Minute)
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

// TestSIPPolicyWaits asks an HTTP server about half of the calls: the others are answered
// while it takes its time, and callers who give up meanwhile are told so. Where proving it
// takes 300 ms, and the others take as long as when nobody is asked; else it waits for them.
func TestSIPPolicyWaits(t *testing.T) {
	calls := 40
	if testbed.Proving() {
		calls = 200 * 15
	}
	others := make(chan struct{}) // closed when all calls but those that wait are answered
	policy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if testbed.Proving() {
			time.Sleep(300 * time.Millisecond)
		} else {
			select {
			case <-others:
			case <-r.Context().Done(): // its caller gave up
			}
		}
		_, _ = io.WriteString(w, "yes")
	}))
	defer policy.Close()
	callee := newSIPPeer(t)
	go callee.answerAll()
	h := newSocketHouse(t, fmt.Sprintf(`
sip.listen "edge" { url = "udp://127.0.0.1:0" }
rule "slow" { on = sip.request_in, match = { method = "INVITE", ruri = { user = "slow" } }, run = function(tx, m)
  local r, err = http.get { url = %q, timeout = "1m" }
  if not r or r.body ~= "yes" then return sip.reply(503, err) end
  return sip.relay { to = "sip:bob@%[2]s" }
end }
rule "fast" { on = sip.request_in, match = { method = "INVITE" }, verdict = sip.relay { to = "sip:bob@%[2]s" } }
`, policy.URL, callee), edge.New(edge.Config{}))
	at := netip.MustParseAddrPort(h.sips.Listeners()[0].Addr)
	alone := callAll(t, at, calls, func(int) string { return "fast" }, func(map[string]times) {})
	mixed := callAll(t, at, calls, func(i int) string { return []string{"fast", "slow", "fast", "canceled"}[i%4] }, func(took map[string]times) {
		if len(took["slow"]) == 0 && len(took["fast"])+len(took["canceled"]) == calls*3/4 {
			close(others)
		}
	})
	fast, slow, canceled := mixed["fast"], mixed["slow"], mixed["canceled"]
	base := alone["fast"]
	t.Logf("200 calls/s: alone %v in the middle, %v at the 99th percentile; beside calls that wait %v, %v; those %v; given up after %v",
		base.at(50), base.at(99), fast.at(50), fast.at(99), slow.at(50), canceled.at(50))
	if len(base) != calls || len(fast) != calls/2 || len(slow) != calls/4 || len(canceled) != calls/4 {
		t.Errorf("%d, %d, %d and %d calls were answered", len(base), len(fast), len(slow), len(canceled))
	}
	if testbed.Proving() {
		if fast.at(50) > base.at(50)+20*time.Millisecond {
			t.Errorf("beside calls that wait, others take %v, alone %v", fast.at(50), base.at(50))
		}
		if slow.at(1) < 300*time.Millisecond || canceled.at(50) > 250*time.Millisecond {
			t.Errorf("calls that wait take %v, those that are given up meanwhile %v", slow.at(1), canceled.at(50))
		}
	}
	if n := h.engine.Stats().Errors; n != 0 {
		t.Errorf("%d errors", n)
	}
}

// answerAll answers INVITEs, until the socket is closed.
func (p *sipPeer) answerAll() {
	buf := make([]byte, 65536)
	for {
		n, from, err := p.pc.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		var m msg.Message
		if m.Parse(buf[:n], msg.DefaultLimits()) == nil && m.Method() == msg.Invite {
			_, _ = p.pc.WriteToUDPAddrPort(msg.AppendReply(nil, &m, &msg.Reply{Code: 200, Reason: "OK", Tag: []byte("t")}), from)
		}
	}
}

// times are how long things took.
type times []time.Duration

// at returns a percentile.
func (l times) at(percent int) time.Duration {
	if len(l) == 0 {
		return -1
	}
	return slices.Sorted(slices.Values(l))[(len(l)-1)*percent/100]
}

// callAll begins 200 calls a second, each of the kind that is asked for, and returns how
// long each took up to its final reply. Callers of the kind canceled call who is slow
// to answer, and give up after 100 ms; their time is up to the 487. Each answer is told.
func callAll(t *testing.T, at netip.AddrPort, calls int, kind func(int) string, told func(map[string]times)) map[string]times {
	t.Helper()
	caller := newSIPPeer(t)
	var mu sync.Mutex
	began, took := map[string]time.Time{}, map[string]times{}
	done, left := make(chan struct{}), calls
	request := func(method, call string) []byte {
		name, _, _ := strings.Cut(call, "-")
		if name == "canceled" {
			name = "slow"
		}
		return fmt.Appendf(nil, "%s sip:%s@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s\r\nMax-Forwards: 70\r\nFrom: <sip:a@x>;tag=a\r\nTo: <sip:b@y>\r\nCall-ID: %[5]s\r\nCSeq: 1 %[1]s\r\nContent-Length: 0\r\n\r\n",
			method, name, at, caller, call)
	}
	go func() {
		buf := make([]byte, 65536)
		for {
			n, _, err := caller.pc.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			var m msg.Message
			if m.Parse(buf[:n], msg.DefaultLimits()) != nil || m.Status() < 200 {
				continue
			}
			call := string(m.CallID())
			seq, _ := m.CSeq()
			name, _, _ := strings.Cut(call, "-")
			if string(seq.Method) != "INVITE" || name == "canceled" && m.Status() != 487 || name != "canceled" && m.Status() != 200 {
				continue
			}
			mu.Lock()
			if first, open := began[call]; open {
				delete(began, call)
				took[name] = append(took[name], time.Since(first))
				told(took)
				if left--; left == 0 {
					close(done)
				}
			}
			mu.Unlock()
		}
	}()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for i := range calls {
		call := fmt.Sprint(kind(i), "-", i)
		mu.Lock()
		began[call] = time.Now()
		mu.Unlock()
		caller.send(at, request("INVITE", call))
		if kind(i) == "canceled" {
			time.AfterFunc(100*time.Millisecond, func() { _, _ = caller.pc.WriteToUDPAddrPort(request("CANCEL", call), at) })
		}
		<-tick.C
	}
	select {
	case <-done:
	case <-time.After(time.Minute):
	}
	mu.Lock()
	defer mu.Unlock()
	return took
}

// TestSIPAsksFirst: a handler that decides about a call waits for a request of its own.
func TestSIPAsksFirst(t *testing.T) {
	t.Parallel()
	callee, caller := newSIPPeer(t), newSIPPeer(t)
	h := newSocketHouse(t, fmt.Sprintf(`
sip.listen "edge" { url = "udp://127.0.0.1:0" }
rule "ask" { on = sip.request_in, match = { method = "MESSAGE" }, run = function(tx, m)
  local r, err = sip.request { method = "OPTIONS", uri = "sip:bob@%[1]s", timeout = "5s" }
  if not r or r.code ~= 200 then return sip.reply(480, err) end
  return sip.relay { to = "sip:bob@%[1]s" }
end }
`, callee), edge.New(edge.Config{}))
	at := netip.MustParseAddrPort(h.sips.Listeners()[0].Addr)
	for i, code := range []int{200, 486} {
		caller.send(at, fmt.Appendf(nil, "MESSAGE sip:bob@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%d\r\nMax-Forwards: 70\r\nFrom: <sip:a@x>;tag=a\r\nTo: <sip:b@y>\r\nCall-ID: m%[3]d\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n", at, caller, i))
		callee.answer("OPTIONS", msg.Reply{Code: code, Reason: "Any", Tag: []byte("t")})
		want := "SIP/2.0 480"
		if code == 200 {
			callee.answer("MESSAGE", msg.Reply{Code: 202, Reason: "Accepted", Tag: []byte("t")})
			want = "SIP/2.0 202"
		}
		caller.take(want)
	}
}
