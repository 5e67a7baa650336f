package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const dispatcherPolicy = `
dispatcher.set "pbx" {
  destinations = { "sip:192.0.2.11", { uri = "sip:192.0.2.12" }, { uri = "sip:192.0.2.13", priority = -1 } },
  algorithm = "hash", probe = "9s", timeout = "2s", failures = 2,
}
rule "in" { on = sip.request_in, match = { method = "INVITE" }, run = function(tx, m)
  local targets = dispatcher.select("pbx", m.ruri.user)
  if #targets == 0 then return sip.reply(503, "All Down") end
  return sip.relay { targets = targets }
end }
rule "told" { on = sip.destination, run = function()
  local text = ""
  for _, d in ipairs(dispatcher.list(this.set)) do text = text .. " " .. d.uri:sub(-2) .. (d.up and "+" or "-") .. d.load end
  log.info("told", { set = this.set, uri = this.uri, up = this.up, all = text })
end }
`

// sentTo counts what of a method went to an address since the last look.
func (r *sipRules) sentTo(addr, method string) int {
	n := 0
	for i, b := range r.sent {
		if r.to[i] == addr && strings.HasPrefix(string(b), method+" ") {
			n++
		}
	}
	return n
}

func TestSIPDispatcher(t *testing.T) {
	r := newSIPRules(t, dispatcherPolicy)
	// The same key leads to the same destination, and to the next where that is out of order.
	user, first, other := "", "192.0.2.11", "192.0.2.12"
	for i := 0; i < 50 && r.sentTo(first, "INVITE") == 0; i++ {
		user = fmt.Sprint("user", i)
		r.request("INVITE", user)
	}
	r.want(first, "INVITE sip:"+user+"@192.0.2.100 SIP/2.0\r\n")
	r.sent, r.to = r.sent[len(r.sent)-1:], r.to[len(r.to)-1:]
	r.answer(first, 503)
	r.want(other, "INVITE sip:"+user+"@192.0.2.100 SIP/2.0\r\n")
	r.answer(other, 486) // which is an answer
	r.want("192.0.2.1", "SIP/2.0 486")
	if r.sentTo("192.0.2.13", "INVITE") != 0 {
		t.Error("who is busy is called elsewhere")
	}
	r.errors()
}

// TestSIPProbes: who does not answer is taken out, and in again when it does.
func TestSIPProbes(t *testing.T) {
	r := newSIPRules(t, dispatcherPolicy)
	alive := map[string]int{"192.0.2.11": 404, "192.0.2.13": 200}
	seen := 0
	pass := func(d time.Duration) {
		for end := r.shard.Now() + int64(d); r.shard.Now() < end; {
			r.after(500 * time.Millisecond)
			for ; seen < len(r.sent); seen++ {
				if code := alive[r.to[seen]]; code != 0 && strings.HasPrefix(string(r.sent[seen]), "OPTIONS ") {
					r.answer(r.to[seen], code)
				}
			}
		}
	}
	pass(40 * time.Second)
	if n := r.sentTo("192.0.2.11", "OPTIONS"); n < 3 || n > 5 {
		t.Errorf("asked %d times in 40 s", n)
	}
	if text := "up=false all=\" 11+0 12-0 13+0\""; !strings.Contains(r.out.String(), text) {
		t.Fatalf("no %s in\n%s", text, &r.out)
	}
	for i := range 20 {
		r.request("INVITE", fmt.Sprint("user", i))
	}
	if n := r.sentTo("192.0.2.12", "INVITE"); n != 0 {
		t.Errorf("%d calls to what is down", n)
	}
	if err := r.h.load(&r.out, []string{r.path}); err != nil { // what is known stays
		t.Fatal(err)
	}
	alive = map[string]int{"192.0.2.12": 200, "192.0.2.11": 503}
	pass(40 * time.Second)
	for _, text := range []string{"uri=sip:192.0.2.12 up=true", "uri=sip:192.0.2.11 up=false", "uri=sip:192.0.2.13 up=false"} {
		if !strings.Contains(r.out.String(), text) {
			t.Errorf("no %s in\n%s", text, &r.out)
		}
	}
	if n := strings.Count(r.out.String(), "uri=sip:192.0.2.12 up=false"); n != 1 {
		t.Errorf("%d times told that one is down\n%s", n, &r.out)
	}
	alive = nil
	pass(40 * time.Second)
	r.recv("192.0.2.1", strings.ReplaceAll("INVITE sip:x@192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKlast\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: last\r\nCSeq: 1 INVITE\r\n\r\n", "X", ""))
	r.want("192.0.2.1", "SIP/2.0 503 All Down\r\n")
	r.errors()
}

func TestSIPDispatcherDeclared(t *testing.T) {
	for text, want := range map[string]string{
		`dispatcher.set "a" { destinations = {} }`:                                            `dispatcher.set "a": 1 to 1000 destinations expected`,
		`dispatcher.set "a" { destinations = { "sip:h", "sip:h" } }`:                          `sip:h stands there twice`,
		`dispatcher.set "a" { destinations = { { uri = "sip:h", wait = 1 } } }`:               `destinations: wait: unknown`,
		`dispatcher.set "a" { destinations = { "sip:h" }, algorithm = "best" }`:               `algorithm "best": round_robin`,
		`dispatcher.set "a" { targets = { "sip:h" } }`:                                        `targets: unknown; destinations`,
		`local s = dispatcher.set "a" s { destinations = { "sip:h" } } dispatcher.set "a" {}`: `declared twice`,
	} {
		h := newHouse(engineOptions{}, false, &strings.Builder{}, &strings.Builder{})
		path := t.TempDir() + "/a.lua"
		writeFile(t, path, text)
		var out strings.Builder
		if err := h.load(&out, []string{path}); err == nil || !strings.Contains(out.String(), want) {
			t.Errorf("%s: %v\n%s", text, err, &out)
		}
		h.engine.Close()
	}
}
