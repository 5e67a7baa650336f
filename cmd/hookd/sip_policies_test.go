package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// relayAll is a policy that routes, for those that do not.
const relayAll = `rule "all" { on = sip.request_in, run = function(tx, m)
  if m.to.tag == "" and m.method ~= "CANCEL" then return sip.relay { to = "sip:" .. m.ruri.user .. "@192.0.2.11", record_route = true } end
end }`

func policies(t *testing.T, names ...string) *sipRules {
	t.Helper()
	path := t.TempDir() + "/relay.lua"
	writeFile(t, path, relayAll)
	paths := []string{path}
	for _, name := range names {
		paths = append(paths, "../../scripts/"+name)
	}
	return newSIPPolicies(t, paths...)
}

func TestSIPPolicyCDR(t *testing.T) {
	r := policies(t, "cdr", "fraud")
	r.request("INVITE", "bob")
	r.after(2 * time.Second)
	r.answer("192.0.2.11", 200)
	r.after(30 * time.Second)
	r.recv("192.0.2.1", "BYE sip:bob@192.0.2.11 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKbye\r\nMax-Forwards: 70\r\nRoute: <sip:192.0.2.100;lr>\r\n"+
		"From: <sip:alice@192.0.2.1>;tag=a\r\nTo: <sip:bob@192.0.2.100>;tag=t\r\nCall-ID: c-bob\r\nCSeq: 2 BYE\r\n\r\n")
	r.answer("192.0.2.11", 200)
	r.after(time.Millisecond)
	r.errors()
	list := r.alerts("cdr")
	if len(list) != 1 {
		t.Fatalf("%q\n%s", list, &r.out)
	}
	for _, text := range []string{`"from":"sip:alice@192.0.2.1","to":"sip:bob@192.0.2.100","source":"192.0.2.1:5060"`, `"began":3600,"answered":3602,"ended":3632`, `"duration":30`, `"code":200,"ended_by":"caller"`} {
		if !strings.Contains(list[0], text) {
			t.Errorf("no %s in %s", text, list[0])
		}
	}
}

func TestSIPPolicyFraud(t *testing.T) {
	r := policies(t, "fraud")
	r.request("INVITE", "00979123")
	r.want("192.0.2.1", "SIP/2.0 403")
	for i := range 4 {
		r.request("INVITE", fmt.Sprint("00900", i))
		if i < 3 {
			r.want("192.0.2.11", fmt.Sprint("INVITE sip:00900", i, "@192.0.2.11"))
			r.answer("192.0.2.11", 486)
		} else {
			r.want("192.0.2.1", "SIP/2.0 403")
		}
	}
	for i := range 5 {
		r.request("INVITE", fmt.Sprint("bob", i))
	}
	r.want("192.0.2.1", "SIP/2.0 486 Too Many Calls")
	r.want("192.0.2.11", "INVITE sip:bob3@192.0.2.11")
	r.errors()
	if got := strings.Join(r.alerts("fraud"), " "); !strings.Contains(got, `"why":"never"`) || !strings.Contains(got, `"why":"calls at once"`) || !strings.Contains(got, `"why":"dear calls"`) {
		t.Errorf("%s", got)
	}
}

func TestSIPPolicyScanners(t *testing.T) {
	r := policies(t, "scanners")
	scan := func(from string, n int, agent string) {
		r.recv(from, fmt.Sprintf("OPTIONS sip:100@192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKs%s%d\r\nMax-Forwards: 70\r\nFrom: <sip:x@y>;tag=1\r\nTo: <sip:x@y>\r\nCall-ID: s%[3]d\r\nCSeq: 1 OPTIONS\r\nUser-Agent: %[4]s\r\n\r\n", from, agent[:3], n, agent))
	}
	scan("198.51.100.9", 1, "Friendly-Scanner v1")
	if strings.Contains(strings.Join(r.to, " "), "198.51.100.9") {
		t.Errorf("a scanner is answered\n%s", &r.out)
	}
	for i := range 301 {
		scan("198.51.100.8", i, "phone")
	}
	if n := r.sentTo("192.0.2.11", "OPTIONS"); n < 290 || n >= 301 {
		t.Errorf("%d of 301 requests in no time passed", n)
	}
	r.errors()
	if got := r.alerts("scanner"); len(got) != 1 || !strings.Contains(got[0], `"ip":"198.51.100.9","why":"agent"`) {
		t.Errorf("%q\n%s", got, &r.out)
	}
}

func TestSIPPolicyNormalise(t *testing.T) {
	r := policies(t, "normalise")
	for user, want := range map[string]string{"004930123": "+4930123", "030123": "+4930123", "+4930123": "+4930123", "bob": "bob"} {
		r.sent, r.to = nil, nil
		r.recv("192.0.2.1", fmt.Sprintf("INVITE sip:%s@192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKn%[1]s\r\nMax-Forwards: 200\r\nFrom: <sip:x@y>;tag=1\r\nTo: <sip:x@y>\r\nCall-ID: n%[1]s\r\nCSeq: 1 INVITE\r\n"+
			"User-Agent: PBX 1.2\r\nX-Internal-Route: a\r\n\r\n", user))
		r.want("192.0.2.11", "INVITE sip:"+want+"@192.0.2.11 SIP/2.0\r\n", "Max-Forwards: 69\r\n", "User-Agent: hookd\r\n")
		if strings.Contains(string(r.sent[len(r.sent)-1]), "X-Internal-Route") {
			t.Error("the inside is told of")
		}
	}
	r.errors()
}
