package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip"
	"github.com/hookd/hookd/stacks/sip/msg"
	"github.com/hookd/hookd/stacks/sip/services"
)

// sipRules is a SIP stack under real scripts, without sockets.
type sipRules struct {
	t     *testing.T
	path  string // of the script
	h     *house
	shard *event.Shard
	stack *sip.Stack
	sent  [][]byte // what was written, in order
	to    []string
	out   bytes.Buffer
	wire  func(to sip.Hop, b []byte) // gets what is written too; may be nil
}

func newSIPRules(t *testing.T, script string) *sipRules {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "policy.lua")
	if err := os.WriteFile(path, []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	return newSIPPolicies(t, path)
}

// newSIPPolicies runs scripts as they stand.
func newSIPPolicies(t *testing.T, paths ...string) *sipRules {
	t.Helper()
	desk := services.New(services.Config{})
	r := &sipRules{t: t, path: paths[0]}
	r.h = newHouse(engineOptions{desk: desk}, true, &r.out, &r.out)
	if err := r.h.load(&r.out, paths); err != nil {
		t.Fatalf("%v\n%s", err, &r.out)
	}
	r.shard = r.h.engine.Shard(0)
	r.after(time.Hour)
	r.stack = sip.New(r.shard, sip.Config{Watcher: desk}, r)
	t.Cleanup(r.h.engine.Close)
	return r
}

// Send implements [sip.Transport].
func (r *sipRules) Send(to sip.Hop, b []byte) error {
	r.sent, r.to = append(r.sent, append([]byte(nil), b...)), append(r.to, to.Remote.Addr().String())
	if r.wire != nil {
		r.wire(to, b)
	}
	return nil
}

// Find implements [sip.Transport].
func (r *sipRules) Find(uri []byte, then func([]sip.Hop, error)) {
	u, err := msg.ParseURI(uri)
	if err != nil {
		then(nil, err)
		return
	}
	addr, err := netip.ParseAddr(string(u.Host))
	then([]sip.Hop{{Proto: sipev.TransportUDP, Remote: netip.AddrPortFrom(addr, 5060)}}, err)
}

// Self implements [sip.Transport].
func (r *sipRules) Self(host []byte, _ uint16) bool { return string(host) == "192.0.2.100" }

// SentBy implements [sip.Transport].
func (r *sipRules) SentBy(dst []byte, _ sip.Hop) []byte { return append(dst, "192.0.2.100:5060"...) }

// after lets time pass.
func (r *sipRules) after(d time.Duration) {
	r.shard.Enter()
	defer r.shard.Leave()
	r.shard.Advance(r.shard.Now() + int64(d))
}

func (r *sipRules) recv(from, text string) {
	r.shard.Enter()
	defer r.shard.Leave()
	r.stack.Receive(sip.Hop{Proto: sipev.TransportUDP, Remote: netip.AddrPortFrom(netip.MustParseAddr(from), 5060)}, []byte(text))
}

// request lets the caller send one.
func (r *sipRules) request(method, user string) {
	r.recv("192.0.2.1", fmt.Sprintf("%s sip:%s@192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK%s%s\r\nMax-Forwards: 70\r\n"+
		"From: \"Alice\" <sip:alice@192.0.2.1>;tag=a\r\nTo: <sip:%s@192.0.2.100>\r\nCall-ID: c-%s\r\nCSeq: 1 %s\r\nContent-Length: 0\r\n\r\n", method, user, method, user, user, user, method))
}

// answer lets the peer of the latest request that went to it answer.
func (r *sipRules) answer(from string, code int) { r.answerBy(from, code, r.recv) }

// answerBy is answer by a way of its own.
func (r *sipRules) answerBy(from string, code int, recv func(from, text string)) {
	for i := len(r.sent) - 1; i >= 0; i-- {
		var m msg.Message
		if r.to[i] == from && m.Parse(r.sent[i], msg.DefaultLimits()) == nil && m.IsRequest() {
			recv(from, string(msg.AppendReply(nil, &m, &msg.Reply{Code: code, Reason: msg.ReasonOf(code), Tag: []byte("t")})))
			return
		}
	}
	r.t.Fatalf("nothing went to %s", from)
}

// want looks for texts in what was sent last to an address.
func (r *sipRules) want(to string, texts ...string) {
	r.t.Helper()
	for i := len(r.sent) - 1; i >= 0; i-- {
		if r.to[i] != to {
			continue
		}
		for _, text := range texts {
			if !strings.Contains(string(r.sent[i]), text) {
				r.t.Errorf("no %q was sent to %s:\n%s\n%s", text, to, r.sent[i], &r.out)
			}
		}
		return
	}
	r.t.Errorf("nothing was sent to %s\n%s", to, &r.out)
}

// errors wants no script to have failed.
func (r *sipRules) errors() {
	r.t.Helper()
	if n := r.h.engine.Stats().Errors; n != 0 {
		r.t.Errorf("%d errors:\n%s", n, &r.out)
	}
}

func TestSIPReply(t *testing.T) {
	r := newSIPRules(t, `
rule "premium" { on = sip.request_in, match = { method = "INVITE", ruri = { user = is.prefix "00900" } },
  run = function(tx, m) return sip.reply(403, "No " .. m.ruri.user, { ["X-From"] = m.from.user, Contact = { "<sip:a>", "<sip:b>" } }) end }
rule "tcp-only" { on = sip.request_in, match = { m = { source = { transport = "tcp" } } }, verdict = sip.drop }
`)
	r.request("INVITE", "009001")
	r.want("192.0.2.1", "SIP/2.0 403 No 009001\r\n", "X-From: alice\r\n", "Contact: <sip:a>\r\nContact: <sip:b>\r\n")
	r.request("INVITE", "bob")
	r.want("192.0.2.1", "SIP/2.0 404 Not Found\r\n")
	r.errors()
}

// One object is one value however a handler comes by it, in each of its forms.
func TestSIPOneObject(t *testing.T) {
	r := newSIPRules(t, `
rule "compared" { on = sip.request_in, always = true, run = function(tx, m) if m == tx.request then log.info "compared" end end }
rule "shown" { on = sip.request_in, always = true, run = function(tx, m) local seen = { [m] = true } if seen[tx.request] then log.info "shown" end end }
rule "filter" { on = sip.request_in, always = true, when = function(tx, m) return m == tx.request and m.method == "OPTIONS" end, run = function() log.info "filter" end }
`)
	r.request("OPTIONS", "bob")
	r.errors()
	for _, word := range []string{"compared", "shown", "filter"} {
		if log := r.out.String(); !strings.Contains(log, "msg="+word+" ") {
			t.Errorf("%s: m is not tx.request; the log is\n%s", word, log)
		}
	}
}

func TestSIPEdit(t *testing.T) {
	r := newSIPRules(t, `
rule "route" { on = sip.request_in, match = { method = "INVITE" }, run = function(tx, m)
  m.ruri.user, m.ruri.host, m.ruri.port = "49" .. m.ruri.user, "192.0.2.11", 5062
  m:set_header("Subject", "from " .. tostring(m.source.ip))
  m:add_header("X-Hops", tostring(#m:headers "Via"))
  m:set_body("hello", "text/plain")
  assert(tx.is_local == false, "local") assert(tx.call_id == "c-bob", "call") assert(tx.request.from.tag == m.from.tag, "request")
  local ok, why = m:set_header("Via", "x")
  assert(not ok and why:find "replies find their way")
  return sip.relay { record_route = true }
end }
rule "branch" { on = sip.request_fwded, run = function(tx, m, b) m:add_header("X-Branch", b.index .. " " .. b.uri) end }
rule "hide" { on = sip.response_fwded, run = function(tx, m) m:set_header("Server", "hidden") end }
rule "read-only" { on = sip.response_out, run = function(tx, m)
  local ok, why = m:add_header("X", "y")
  log.info("said", { ok = ok, why = why, code = m.code, text = m:header "server" })
end }
`)
	r.request("INVITE", "bob")
	r.want("192.0.2.11", "INVITE sip:49bob@192.0.2.11:5062 SIP/2.0\r\n", "Subject: from 192.0.2.1\r\n", "X-Hops: 1\r\n", "X-Branch: 0 sip:49bob@192.0.2.11:5062\r\n",
		"Record-Route: <sip:192.0.2.100:5060;lr;hkd=", "Max-Forwards: 69\r\n", "Content-Type: text/plain\r\n", "Content-Length: 5\r\n", "\r\n\r\nhello")
	r.answer("192.0.2.11", 200)
	r.want("192.0.2.1", "SIP/2.0 200 OK\r\n", "Server: hidden\r\n")
	r.errors()
	if log := r.out.String(); !strings.Contains(log, "read-only at this hook point") || !strings.Contains(log, "text=hidden") {
		t.Errorf("the log is\n%s", log)
	}
}

func TestSIPFailover(t *testing.T) {
	r := newSIPRules(t, `
handler "backup" { on = sip.on_failure, run = function(tx, m)
  tx.data.codes = (tx.data.codes or "") .. m.code .. (m.faked and m.faked_by or "") .. " "
  if tx.branches < 3 then return sip.relay { to = this.param } end
end }
rule "first" { on = sip.request_in, match = { method = "INVITE" }, run = function(tx, m)
  assert(tx:on(sip.on_failure, "backup", "sip:b@192.0.2.12"))
  tx.fr_timer = "2s"
  return sip.relay { fork = { "sip:a@192.0.2.11", "sip:c@192.0.2.13" } }
end }
rule "cdr" { on = sip.response_out, run = function(tx, m) log.info("cdr", { code = m.code, codes = tx.data.codes, branches = tx.branches, picked = tx.picked == nil }) end }
rule "end" { on = sip.destroy, run = function(tx) log.info("gone", { call = tx.call_id, code = tx.code }) end }
`)
	r.request("INVITE", "bob")
	r.answer("192.0.2.11", 486)
	r.after(3 * time.Second)
	r.want("192.0.2.12", "INVITE sip:b@192.0.2.12 SIP/2.0\r\n")
	r.answer("192.0.2.12", 200)
	r.want("192.0.2.1", "SIP/2.0 200 OK\r\n")
	r.after(time.Minute)
	r.errors()
	for _, text := range []string{"code=200", "codes=\"408timer \"", "branches=3", "call=c-bob"} {
		if !strings.Contains(r.out.String(), text) {
			t.Errorf("no %s in the log\n%s", text, &r.out)
		}
	}
}

// TestSIPOnFailure names the handler in the verdict, in a rule that runs and in one
// that only decides.
func TestSIPOnFailure(t *testing.T) {
	r := newSIPRules(t, `
handler "backup" { on = sip.on_failure, run = function(tx, m) if tx.branches < 2 then return sip.relay { to = "sip:b@192.0.2.12" } end end }
rule "runs" { on = sip.request_in, match = { ruri = { user = "bob" } }, run = function() return sip.relay { to = "sip:a@192.0.2.11", on_failure = "backup" } end }
rule "decides" { on = sip.request_in, match = { ruri = { user = "eve" } }, verdict = sip.relay { to = "sip:a@192.0.2.11", on_failure = "backup" } }
rule "wrong" { on = sip.request_in, match = { ruri = { user = "joe" } }, run = function() return sip.relay { to = "sip:a@192.0.2.11", on_failure = "no such" } end }
`)
	for _, user := range []string{"bob", "eve"} {
		r.sent, r.to = nil, nil
		r.request("INVITE", user)
		r.answer("192.0.2.11", 500)
		r.want("192.0.2.12", "INVITE sip:b@192.0.2.12 SIP/2.0\r\n")
		r.answer("192.0.2.12", 486)
		r.want("192.0.2.1", "SIP/2.0 486")
	}
	r.errors()
	r.request("INVITE", "joe")
	r.want("192.0.2.11", "INVITE sip:a@192.0.2.11 SIP/2.0\r\n")
	if n := r.h.engine.Stats().Errors; n != 1 || !strings.Contains(r.out.String(), "on_failure: ") {
		t.Errorf("%d errors\n%s", n, &r.out)
	}
}

// TestSIPWaits: a policy that waits holds up its own transaction alone, and a CANCEL
// ends the waiting.
func TestSIPWaits(t *testing.T) {
	r := newSIPRules(t, `
rule "slow" { on = sip.request_in, match = { method = "INVITE", ruri = { user = "slow" } }, run = function(tx, m)
  sleep "300ms"
  return sip.relay { to = "sip:x@192.0.2.11" }
end }
rule "fast" { on = sip.request_in, match = { method = "INVITE" }, run = function() return sip.relay { to = "sip:y@192.0.2.12" } end }
rule "given-up" { on = sip.e2ecancel_in, run = function(tx, m) log.info("given up", { by = m.method }) end }
`)
	r.request("INVITE", "slow")
	r.want("192.0.2.1", "SIP/2.0 100 Trying\r\n")
	r.request("INVITE", "quick")
	r.want("192.0.2.12", "INVITE sip:y@192.0.2.12 SIP/2.0\r\n")
	r.after(time.Second)
	r.want("192.0.2.11", "INVITE sip:x@192.0.2.11 SIP/2.0\r\n")
	r.recv("192.0.2.1", strings.ReplaceAll("INVITE sip:slow@192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKinv2\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: two\r\nCSeq: 1 INVITE\r\n\r\n", "X", ""))
	sent := len(r.sent)
	r.recv("192.0.2.1", "CANCEL sip:slow@192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKinv2\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: two\r\nCSeq: 1 CANCEL\r\n\r\n")
	var got []string
	for _, b := range r.sent[sent:] {
		got = append(got, string(b[:11]))
	}
	if want := "SIP/2.0 487|SIP/2.0 200"; strings.Join(got, "|") != want {
		t.Errorf("a CANCEL while a handler waits: %q\n%s", got, &r.out)
	}
	if !strings.Contains(r.out.String(), "by=CANCEL") {
		t.Errorf("the log is\n%s", &r.out)
	}
	r.after(2 * time.Minute)
	r.errors()
	if n := r.stack.Stats().Open; n != 0 {
		t.Errorf("%d transactions are left", n)
	}
}

// TestSIPGlobal: what is the first event of a transaction is bound to none, and what a
// local one has not is an error where it is read.
func TestSIPGlobal(t *testing.T) {
	r := newSIPRules(t, `
rule "late" { on = sip.request_in, run = function(tx) tx:on(sip.request_in, function() end) end }
rule "nothing" { on = sip.local_completed, run = function(tx) return tx.request.method end }
`)
	r.request("OPTIONS", "bob")
	if !strings.Contains(r.out.String(), "policy.lua:2") || !strings.Contains(r.out.String(), "sip.request_in is global") {
		t.Errorf("the log is\n%s", &r.out)
	}
	r.shard.Enter()
	_, err := r.stack.Request(&sip.Request{Method: "OPTIONS", URI: "sip:x@192.0.2.11", From: "<sip:a@b>", To: "<sip:x@y>"})
	r.shard.Leave()
	if err != nil {
		t.Fatal(err)
	}
	r.answer("192.0.2.11", 200)
	if n := r.h.engine.Stats().Errors; n != 2 || !strings.Contains(r.out.String(), "policy.lua:3") {
		t.Errorf("%d errors\n%s", n, &r.out)
	}
}

// TestSIPPath: what a script puts into the route of a dialog comes back to it.
func TestSIPPath(t *testing.T) {
	r := newSIPRules(t, `
rule "begin" { on = sip.request_in, match = { method = "INVITE" }, run = function(tx, m)
  assert(m:loose_route() == nil)
  local ok, why = tx:record_route { lr = true }
  assert(not ok and why:find "this server's")
  assert(tx:record_route { account = m.from.user })
  return sip.relay { to = "sip:x@192.0.2.11" }
end }
rule "confirmed" { on = sip.e2eack_in, run = function(tx, m) log.info("confirmed", { account = m:route_param "account" }) end }
`)
	r.request("INVITE", "bob")
	r.want("192.0.2.11", "Record-Route: <sip:192.0.2.100:5060;lr;account=alice;hkd=")
	r.answer("192.0.2.11", 200)
	r.recv("192.0.2.1", "ACK sip:x@192.0.2.11 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKack\r\nRoute: <sip:192.0.2.100:5060;lr;account=alice>\r\n"+
		"From: <sip:alice@192.0.2.1>;tag=a\r\nTo: <sip:bob@192.0.2.100>;tag=t\r\nCall-ID: c-bob\r\nCSeq: 1 ACK\r\n\r\n")
	r.errors()
	if !strings.Contains(r.out.String(), "account=alice") {
		t.Errorf("the log is\n%s", &r.out)
	}
}
