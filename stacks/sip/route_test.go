package sip

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// TestRoutes is RFC 3261, 16.4 and 16.6, with the examples of 16.12.1.
func TestRoutes(t *testing.T) {
	t.Parallel()
	const us = "<sip:192.0.2.100:5060;lr>"
	for _, row := range []struct {
		name, uri string
		route     []string
		to, ruri  string
		left      []string
	}{
		{"no route", "sip:x@192.0.2.11", nil, "A", "sip:x@192.0.2.11", nil},
		{"ours alone", "sip:x@192.0.2.11", []string{us}, "A", "sip:x@192.0.2.11", nil},
		{"ours twice", "sip:x@192.0.2.11", []string{us + ", " + us}, "A", "sip:x@192.0.2.11", nil},
		{"ours and a loose router", "sip:x@192.0.2.11", []string{us, "<sip:192.0.2.12;lr>"}, "B", "sip:x@192.0.2.11", []string{"<sip:192.0.2.12;lr>"}},
		{"ours and a strict router", "sip:x@192.0.2.11", []string{us, "<sip:192.0.2.12>", "<sip:192.0.2.13;lr>"}, "B", "sip:192.0.2.12", []string{"<sip:192.0.2.13;lr>", "<sip:x@192.0.2.11>"}},
		{"from a strict router", "sip:192.0.2.100:5060;lr", []string{"<sip:192.0.2.13;lr>", "<sip:x@192.0.2.11>"}, "C", "sip:x@192.0.2.11", []string{"<sip:192.0.2.13;lr>"}},
		{"from a strict router, the last", "sip:192.0.2.100:5060;lr", []string{"<sip:x@192.0.2.11>"}, "A", "sip:x@192.0.2.11", nil},
	} {
		r := newRig(t, nil, quiet...)
		r.hooks["request_in"] = nil
		var lines []string
		for _, v := range row.route {
			lines = append(lines, "Route: "+v)
		}
		text := strings.Replace(dialogRequest("BYE", 2, "bye", "t1", lines...), "sip:bob@192.0.2.11 SIP", row.uri+" SIP", 1)
		if row.route == nil {
			r.hooks["request_in"] = func(any) event.Verdict { return relayTo("") }
		}
		r.recv("caller", text)
		got := r.last(row.to, "BYE")
		if uri := string(got.RequestURI()); uri != row.ruri {
			t.Errorf("%s: URI %s, want %s", row.name, uri, row.ruri)
		}
		var left []string
		for v := got.Values(msg.Route); v.Next(); {
			left = append(left, string(v.Value()))
		}
		if diff := cmp.Diff(row.left, left); diff != "" {
			t.Errorf("%s: Route %s", row.name, diff)
		}
	}
}

// TestUnrouted: what no rule decides about is not relayed for strangers.
func TestUnrouted(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet...)
	r.hooks["request_in"] = nil
	r.invite()
	r.want("a new call", "request_in INVITE, unrouted, response_pre_out 404 local, ! 404 caller, response_out 404 local")
	r.recv("caller", dialogRequest("BYE", 2, "bye", "t1"))
	r.want("a dialog of others", "request_in BYE, unrouted, response_pre_out 404 local, ! 404 caller, response_out 404 local")
	r.recv("caller", dialogRequest("ACK", 1, "ack", "t1"))
	r.want("an ACK of others")
}

// TestAnsweredWithout: requests that get no transaction.
func TestAnsweredWithout(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, from, to, want string }{
		{"no hop left", "Max-Forwards: 70", "Max-Forwards: 0", "! 483 caller"},
		{"Proxy-Require", "Max-Forwards: 70", "Max-Forwards: 70\r\nProxy-Require: a, b", "! 420 caller"},
		{"a fault", "CSeq: 1 INVITE", "CSeq: 1 BYE", "! 400 caller"},
		{"a scheme", "sip:bob@192.0.2.100 SIP", "urn:x SIP", "! 416 caller"},
		{"a version", "SIP/2.0\r\nVia", "SIP/3.0\r\nVia", "! 505 caller"},
		{"no Via", "Via: ", "X-Via: ", ""},
	} {
		r := newRig(t, nil)
		r.recv("caller", strings.Replace(dialogRequest("INVITE", 1, "inv", ""), row.from, row.to, 1))
		r.want(row.name, row.want)
		if row.name == "Proxy-Require" {
			if m := r.last("caller", "420"); m.Count(msg.Unsupported) != 2 {
				t.Errorf("the reply is\n%s", m.Raw())
			}
		}
		r.empty()
	}
}

// TestStrangersReplies: nobody makes up replies.
func TestStrangersReplies(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet...)
	r.invite()
	r.log = nil
	m := r.last("A", "INVITE")
	via, _ := m.Via()
	branch := []byte(string(via.Branch()))
	last := &branch[len(branch)-1]
	if *last == '0' {
		*last = '1'
	} else {
		*last = '0'
	}
	text := string(msg.AppendReply(nil, m, &msg.Reply{Code: 200, Reason: "OK", Tag: []byte("x")}))
	r.recv("A", strings.Replace(text, string(via.Branch()), string(branch), 1))
	r.recv("A", strings.Replace(text, "1 INVITE", "1 BYE", 1))
	r.recv("A", strings.Replace(text, string(via.Branch()), "z9hG4bKother", 1))
	r.want("none of them")
	if got := r.stack.Stats().Stray; got != 3 {
		t.Errorf("%d stray, want 3", got)
	}
}

// TestSendFails: the next hop is tried, then the branch fails; a 503 is not passed on.
func TestSendFails(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet...)
	r.fail["A"] = true
	r.invite()
	r.want("no way", "request_in INVITE, ! 100 caller, request_fwded 0, on_branch_failure 503 send, on_failure_ro 503 send, on_failure 503 send",
		"response_pre_out 500 remap, ! 500 caller, response_out 500 remap")
}
