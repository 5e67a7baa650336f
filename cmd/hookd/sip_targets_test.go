package main

import (
	"strings"
	"testing"
	"time"
)

// TestSIPTargets: targets are tried step by step, by the way that each has, before
// on_failure is asked.
func TestSIPTargets(t *testing.T) {
	r := newSIPRules(t, `
rule "fork" { on = sip.request_in, match = { method = "INVITE" }, run = function() return sip.relay { record_route = true, targets = {
  { uri = "sip:late@192.0.2.14", step = 2 },
  { uri = "sip:a@10.0.0.1:6060", next_hop = "sip:192.0.2.11", step = 1 },
  { uri = "sip:b@10.0.0.2", route = { "<sip:192.0.2.12;lr>", "<sip:edge.example.com;lr>" }, step = 1 },
  { uri = "no URI", step = 1 }, 17,
} } end }
rule "failed" { on = sip.on_failure, run = function(tx, m) log.info("failed", { code = m.code, n = tx.branches }) end }
rule "none" { on = sip.request_in, match = { method = "OPTIONS" }, run = function() return sip.relay { targets = {} } end }
rule "next" { on = sip.request_in, match = { method = "MESSAGE" }, run = function() return sip.relay { next_hop = "sip:192.0.2.13" } end }
`)
	r.request("INVITE", "bob")
	r.want("192.0.2.11", "INVITE sip:a@10.0.0.1:6060 SIP/2.0\r\n")
	r.want("192.0.2.12", "INVITE sip:b@10.0.0.2 SIP/2.0\r\n", "Route: <sip:192.0.2.12;lr>\r\nRoute: <sip:edge.example.com;lr>\r\n", "Record-Route: <sip:192.0.2.100:5060;lr;hkd=")
	r.answer("192.0.2.11", 486)
	if strings.Contains(strings.Join(r.to, " "), "192.0.2.14") {
		t.Error("the second step began before the first had failed")
	}
	r.answer("192.0.2.12", 500)
	r.want("192.0.2.14", "INVITE sip:late@192.0.2.14 SIP/2.0\r\n", "Record-Route: <sip:192.0.2.100:5060;lr;hkd=")
	if strings.Contains(r.out.String(), "failed") {
		t.Errorf("on_failure was asked while a step was left\n%s", &r.out)
	}
	r.answer("192.0.2.14", 404)
	r.want("192.0.2.1", "SIP/2.0 404") // the best of all steps
	if !strings.Contains(r.out.String(), "code=404 n=3") {
		t.Errorf("the log is\n%s", &r.out)
	}
	r.request("OPTIONS", "carol")
	r.want("192.0.2.1", "SIP/2.0 480 ")
	r.request("MESSAGE", "carol")
	r.want("192.0.2.13", "MESSAGE sip:carol@192.0.2.100 SIP/2.0\r\n")
	r.errors()

	r.request("INVITE", "gone")
	r.answer("192.0.2.11", 603)
	r.answer("192.0.2.12", 487)
	r.want("192.0.2.1", "SIP/2.0 603")
	r.after(time.Minute)
	r.errors()
}
