package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event/catalogue"
)

// TestSIPBoundPoints binds a handler of one transaction at every hook point that has one: each
// that the call passes runs, with its param, and none of another call's.
func TestSIPBoundPoints(t *testing.T) {
	t.Parallel()
	var points []string
	for _, f := range catalogue.All() {
		for _, e := range f.Events {
			if name, ok := strings.CutPrefix(e.Name, "sip."); ok && name != "request_in" && e.Fields[0].Name == "tx" {
				points = append(points, name)
			}
		}
	}
	script := `rule "bind" { on = sip.request_in, match = { method = "INVITE" }, run = function(tx, m)
  if m.ruri.user ~= "bob" then return sip.relay { to = "sip:x@192.0.2.12" } end
`
	for _, p := range points {
		script += fmt.Sprintf("  assert(tx:on(sip.%s, function(tx) log.info(%q, { call = tx.call_id, n = this.param.n }) end, { n = 7 }))\n", p, "at "+p)
	}
	r := newSIPRules(t, script+`  return sip.relay { fork = { "sip:x@192.0.2.11", "sip:y@192.0.2.13" }, record_route = true }
end }`)
	r.request("INVITE", "bob")
	r.request("INVITE", "eve") // which binds nothing
	r.request("INVITE", "bob")
	r.answer("192.0.2.12", 486)
	r.answer("192.0.2.11", 180)
	r.cancel("bob")
	r.answer("192.0.2.13", 486)
	r.after(5 * time.Minute)
	r.errors()
	for _, p := range points {
		n := len(regexp.MustCompile(`msg="at `+p+`" .* call=c-bob n=7\n`).FindAllString(r.out.String(), -1))
		passed := !slices.Contains([]string{"unrouted", "silent", "local_request_in", "local_response_in", "local_response_out", "local_completed", "e2eack_in", "e2eack_retr_in", "ack_neg_in"}, p)
		if passed != (n > 0) {
			t.Errorf("%s ran %d times", p, n)
		}
	}
	if strings.Contains(r.out.String(), "call=c-eve") {
		t.Error("what one transaction bound ran for another")
	}
}

// cancel lets the caller give up what [sipRules.request] sent.
func (r *sipRules) cancel(user string) {
	r.recv("192.0.2.1", fmt.Sprintf("CANCEL sip:%[1]s@192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKINVITE%[1]s\r\nMax-Forwards: 70\r\n"+
		"From: \"Alice\" <sip:alice@192.0.2.1>;tag=a\r\nTo: <sip:%[1]s@192.0.2.100>\r\nCall-ID: c-%[1]s\r\nCSeq: 1 CANCEL\r\nContent-Length: 0\r\n\r\n", user))
}

// TestSIPOverReload: what a transaction has bound and noted is there after the script has
// changed, until its last event; handlers may be bound in any of its hooks.
func TestSIPOverReload(t *testing.T) {
	t.Parallel()
	r := newSIPRules(t, `handler "later" { on = sip.response_in, run = function() log.info "the old one" end }
rule "begin" { on = sip.request_in, run = function(tx, m)
  tx.data.seen, tx.data.list = 1, { user = m.ruri.user }
  tx:on(sip.response_in, "later", { to = "b" })
  tx:on(sip.destroy, function(tx) log.info("gone", { seen = tx.data.seen, user = tx.data.list.user }) end)
  return sip.relay { to = "sip:x@192.0.2.11" }
end }`)
	r.request("INVITE", "bob")
	next := `handler "later" { on = sip.response_in, run = function(tx, m)
  tx.data.seen = tx.data.seen + 1
  tx:on(sip.response_out, function(tx, m) log.info("out", { code = m.code, seen = tx.data.seen, to = this.param }) end, this.param.to)
end }`
	if err := os.WriteFile(r.path, []byte(next), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := r.h.load(&r.out, []string{r.path}); err != nil {
		t.Fatalf("%v\n%s", err, &r.out)
	}
	r.answer("192.0.2.11", 180)
	r.answer("192.0.2.11", 200)
	r.after(time.Minute)
	r.errors()
	for _, text := range []string{"code=200 seen=3 to=b", "seen=3 user=bob"} {
		if !strings.Contains(r.out.String(), text) {
			t.Errorf("no %s in\n%s", text, &r.out)
		}
	}
	if strings.Contains(r.out.String(), "the old one") {
		t.Error("a handler that has a name is the old one still")
	}
}

// TestSIPBudget: a handler that does not end is cut off without a verdict, and its transaction
// goes on: another rule decides, or nobody has. One that fails answers what it says for that.
func TestSIPBudget(t *testing.T) {
	t.Parallel()
	r := newSIPRules(t, `rule "endless" { on = sip.request_in, match = { ruri = { user = { "bob", "eve" } } }, priority = 10, run = function() while true do end end }
rule "closed" { on = sip.request_in, match = { ruri = { user = "joe" } }, priority = 10, on_error = sip.reply(500, "Policy Failed"), run = function() while true do end end }
rule "route" { on = sip.request_in, match = { ruri = { user = "bob" } }, run = function() return sip.relay { to = "sip:x@192.0.2.11" } end }`)
	r.request("INVITE", "bob")
	r.want("192.0.2.11", "INVITE sip:x@192.0.2.11 SIP/2.0\r\n")
	r.request("INVITE", "eve")
	r.want("192.0.2.1", "SIP/2.0 500 Server Internal Error\r\n")
	r.request("INVITE", "joe")
	r.want("192.0.2.1", "SIP/2.0 500 Policy Failed\r\n")
	if n := r.h.engine.Stats().Errors; n != 3 || !strings.Contains(r.out.String(), "policy.lua:1") {
		t.Errorf("%d errors\n%s", n, &r.out)
	}
	r.answer("192.0.2.11", 200)
	r.want("192.0.2.1", "SIP/2.0 200 OK\r\n")
	r.after(5 * time.Minute)
	if n := r.stack.Stats().Open; n != 0 {
		t.Errorf("%d transactions are left", n)
	}
}
