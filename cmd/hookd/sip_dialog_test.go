package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const dialogPolicy = `
rule "calls" { on = sip.request_in, match = { method = "INVITE" }, run = function(tx, m)
  if m.to.tag ~= "" then return end
  local user = "user:" .. m.from.user
  if dialog.count(user) >= 2 then return sip.reply(486, "Too Many Calls") end
  assert(dialog.track(tx, { profiles = { user }, timeout = "10m", data = { account = 7 } }))
  assert(dialog.track(tx, { profiles = { user, "all" } }))
  return sip.relay { to = "sip:x@192.0.2.11", record_route = true }
end }
rule "answered" { on = sip.dialog_start, run = function(call) alert("start", { setup = this.setup, open = #dialog.list("user:alice"), account = call.data.account }) end }
rule "cdr" { on = sip.dialog_end, run = function(call)
  alert("end", { call = this.call_id, code = this.code, by = this.ended_by, setup = this.setup, seconds = this.duration, from = this.from, left = dialog.count(call.profiles[1]) })
end }
`

// alerts returns the fields of the records of that name.
func (r *sipRules) alerts(name string) []string {
	_ = r.h.out.Flush()
	var list []string
	for _, m := range regexp.MustCompile(`"name":"`+name+`","fields":(\{.*?\})\}`).FindAllStringSubmatch(r.out.String(), -1) {
		list = append(list, m[1])
	}
	return list
}

func TestSIPDialogs(t *testing.T) {
	r := newSIPRules(t, dialogPolicy)
	bye := func(from, user, tags string) {
		r.recv(from, fmt.Sprintf("BYE sip:x@192.0.2.11 SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKbye%s\r\nMax-Forwards: 70\r\nRoute: <sip:192.0.2.100;lr>\r\n%sCall-ID: c-%s\r\nCSeq: 9 BYE\r\n\r\n", from, user, tags, user))
		r.after(time.Millisecond)
	}
	r.request("INVITE", "one")
	r.after(3 * time.Second)
	r.answer("192.0.2.11", 200)
	r.request("INVITE", "two")
	r.request("INVITE", "three")
	r.want("192.0.2.1", "SIP/2.0 486 Too Many Calls")
	r.answer("192.0.2.11", 404)
	r.after(20 * time.Second)
	// One that is refused, as it comes by no route of the call's, ends nothing.
	r.recv("192.0.2.11", "BYE sip:nobody@192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.11;branch=z9hG4bKbyeby\r\nMax-Forwards: 70\r\n"+
		"From: <sip:x>;tag=t\r\nTo: <sip:alice@192.0.2.1>;tag=a\r\nCall-ID: c-one\r\nCSeq: 8 BYE\r\n\r\n")
	bye("192.0.2.11", "one", "From: <sip:x>;tag=t\r\nTo: <sip:alice@192.0.2.1>;tag=a\r\n")
	r.answer("192.0.2.11", 200) // the URI of this BYE leads there
	r.after(time.Millisecond)
	r.request("INVITE", "four")
	r.recv("192.0.2.1", "CANCEL sip:four@192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKINVITEfour\r\nFrom: \"Alice\" <sip:alice@192.0.2.1>;tag=a\r\nTo: <sip:four@192.0.2.100>\r\nCall-ID: c-four\r\nCSeq: 1 CANCEL\r\n\r\n")
	r.after(time.Minute)
	r.after(time.Millisecond)
	r.request("INVITE", "five")
	r.answer("192.0.2.11", 200)
	r.after(11 * time.Minute)
	r.errors()
	if diff := cmp.Diff([]string{`{"setup":3,"open":1,"account":7}`, `{"setup":0,"open":1,"account":7}`}, r.alerts("start")); diff != "" {
		t.Error(diff)
	}
	want := []string{
		`{"call":"c-two","code":404,"by":"failed","setup":0,"seconds":0,"from":"sip:alice@192.0.2.1","left":1}`,
		`{"call":"c-one","code":200,"by":"callee","setup":3,"seconds":20,"from":"sip:alice@192.0.2.1","left":0}`,
		`{"call":"c-four","code":487,"by":"canceled","setup":T,"seconds":0,"from":"sip:alice@192.0.2.1","left":0}`,
		`{"call":"c-five","code":200,"by":"lapsed","setup":0,"seconds":600,"from":"sip:alice@192.0.2.1","left":0}`,
	}
	got := r.alerts("end")
	for i := range got {
		got[i] = regexp.MustCompile(`("call":"c-four".*"setup":)[0-9.]+`).ReplaceAllString(got[i], "${1}T")
		got[i] = regexp.MustCompile(`20\.00\d+|600\.00\d+|599\.99\d+`).ReplaceAllStringFunc(got[i], func(s string) string {
			if strings.HasPrefix(s, "20") {
				return "20"
			}
			return "600"
		})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s\n%s", diff, &r.out)
	}
}
