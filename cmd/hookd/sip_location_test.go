package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const registrarPolicy = `
local kept = store "contacts" { kind = "map", key = "string", persist = true }
rule "registrar" { on = sip.request_in, match = { method = "REGISTER" }, run = function(tx, m)
  return sip.reply(location.save { message = m, nat = m.contact.host == "10.0.0.7" })
end }
rule "to-user" { on = sip.request_in, match = { method = "INVITE" }, run = function(tx, m)
  local contacts = location.lookup(m.ruri.text)
  if #contacts == 0 then return sip.reply(404, "Nobody") end
  return sip.relay { targets = contacts }
end }
rule "keep" { on = sip.contact, run = function(c)
  local key = this.aor .. " " .. this.uri
  log.info("contact", { change = this.change, aor = this.aor, uri = c.uri, left = this.expires })
  if this.change == "added" or this.change == "updated" then kept:put(key, c, this.expires) else kept:remove(key) end
end }
rule "again" { on = hookd.start, run = function() for _, c in kept:each() do location.restore(c) end end }
`

func registerText(n int, user, fields string) string {
	return fmt.Sprintf("REGISTER sip:192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKr%d\r\nMax-Forwards: 70\r\nFrom: <sip:%[2]s@192.0.2.100>;tag=a\r\n"+
		"To: <sip:%[2]s@192.0.2.100>\r\nCall-ID: r\r\nCSeq: %[1]d REGISTER\r\n%[3]sContent-Length: 0\r\n\r\n", n, user, fields)
}

func TestSIPRegistrar(t *testing.T) {
	r := newSIPRules(t, registrarPolicy)
	register := func(n int, fields string, want ...string) {
		t.Helper()
		r.recv("192.0.2.1", registerText(n, "bob", fields))
		r.want("192.0.2.1", want...)
	}
	register(1, "Contact: <sip:bob@10.0.0.7:5062>;q=0.2\r\nExpires: 120\r\n", "SIP/2.0 200 OK\r\n")
	register(2, "Contact: <sip:bob@192.0.2.11>;expires=100\r\n",
		"SIP/2.0 200 OK\r\n", "Contact: <sip:bob@192.0.2.11>;expires=100\r\nContact: <sip:bob@10.0.0.7:5062>;expires=120;q=0.2\r\n")
	r.request("INVITE", "bob")
	r.want("192.0.2.11", "INVITE sip:bob@192.0.2.11 SIP/2.0\r\n")
	r.answer("192.0.2.11", 486)
	r.want("192.0.2.1", "INVITE sip:bob@10.0.0.7:5062 SIP/2.0\r\n") // what is behind a NAT is reached where it came from
	r.answer("192.0.2.1", 200)
	register(3, "Contact: <sip:bob@10.0.0.7:5062>\r\nPath: <sip:192.0.2.12;lr>\r\n", "SIP/2.0 200 OK\r\n", "Path: <sip:192.0.2.12;lr>\r\n")
	register(4, "Contact: <sip:bob@192.0.2.11>;expires=1\r\n", "SIP/2.0 423 Interval Too Brief\r\n", "Min-Expires: 60\r\n")
	r.after(100 * time.Second)
	r.recv("192.0.2.1", strings.ReplaceAll("INVITE sip:BOB@192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKother\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: two\r\nCSeq: 1 INVITE\r\n\r\n", "BOB", "bob"))
	r.want("192.0.2.12", "INVITE sip:bob@10.0.0.7:5062 SIP/2.0\r\n", "Route: <sip:192.0.2.12;lr>\r\n")
	register(5, "Contact: *\r\nExpires: 0\r\n", "SIP/2.0 200 OK\r\n")
	r.request("INVITE", "eve")
	r.want("192.0.2.1", "SIP/2.0 404 Nobody\r\n")
	r.errors()
	for _, text := range []string{"change=added aor=bob@192.0.2.100 uri=sip:bob@192.0.2.11 left=100", "change=updated", "change=expired aor=bob@192.0.2.100 uri=sip:bob@192.0.2.11 left=0", "change=removed"} {
		if !strings.Contains(r.out.String(), text) {
			t.Errorf("no %q in\n%s", text, &r.out)
		}
	}
}
