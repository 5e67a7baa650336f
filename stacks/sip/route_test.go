package sip

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
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

// TestRouteParams: what a route was given comes back in each later request, through a
// spiral too.
func TestRouteParams(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet...)
	hops := 0
	r.hooks["request_in"] = func(e any) event.Verdict {
		tx := e.(*sipev.RequestIn).Tx
		for _, bad := range []any{
			"x",
			[]event.KV{{Key: "a b", Value: true}},
			[]event.KV{{Key: "a", Value: "b;lr"}},
			[]event.KV{{Key: "a", Value: "b>"}},
			[]event.KV{{Key: "a", Value: "b?"}},
			[]event.KV{{Key: "LR", Value: true}},
			[]event.KV{{Key: "Hkd", Value: "0123456789abcdef"}},
			[]event.KV{{Key: "a", Value: strings.Repeat("x", 300)}},
			[]event.KV{{Key: "a", Value: "\r\n"}},
		} {
			if tx.RecordRoute(nil, bad) == nil {
				t.Errorf("%v was taken", bad)
			}
		}
		hops++
		if err := tx.RecordRoute(nil, []event.KV{{Key: "n", Value: float64(hops)}, {Key: "flag", Value: true}}); err != nil {
			t.Error(err)
		}
		to := "sip:a@192.0.2.11"
		if hops == 1 {
			to = "sip:bob2@192.0.2.100"
		}
		return event.Verdict{Kind: sipev.VerdictRelay, Args: &sipev.RelayArgs{To: to}}
	}
	r.invite()
	r.recv("self", string(r.last("self", "INVITE").Raw()))
	invite := r.last("A", "INVITE")
	var route []string
	var bare []string
	for v := invite.Values(msg.RecordRoute); v.Next(); {
		route = append(route, string(v.Value()))
		before, _, _ := strings.Cut(string(v.Value()), ";hkd=")
		bare = append(bare, before)
	}
	if want := []string{"<sip:192.0.2.100:5060;lr;n=2;flag", "<sip:192.0.2.100:5060;lr;n=1;flag"}; !slices.Equal(bare, want) {
		t.Fatalf("recorded %q", route)
	}
	r.reply("A", "INVITE", 200, "ta")
	r.recv("self", string(r.last("self", "200").Raw()))
	var got []string
	look := func(m sipev.Message) {
		how, _ := m.LooseRoute()
		n, _ := m.RouteParam("N")
		_, flag := m.RouteParam("flag")
		_, other := m.RouteParam("other")
		got = append(got, fmt.Sprint(m.Method(), " ", how, " ", n, " ", flag, " ", other, " ", m.InDialog()))
	}
	r.hooks["e2eack_in"] = func(e any) event.Verdict { look(e.(*sipev.E2eackIn).M); return event.Verdict{} }
	r.hooks["request_in"] = func(e any) event.Verdict { look(e.(*sipev.RequestIn).M); return event.Verdict{} }
	slices.Reverse(route)
	back := "Route: " + strings.Join(route, ", ")
	r.recv("caller", dialogRequest("ACK", 1, "ack", "ta", back))
	r.recv("caller", dialogRequest("BYE", 2, "bye", "ta", back))
	r.recv("caller", dialogRequest("OPTIONS", 3, "opt", "", back))
	r.recv("caller", dialogRequest("BYE", 4, "bye4", "ta"))
	want := []string{"ACK dialog 1 true false true", "BYE dialog 1 true false true", "OPTIONS preloaded 1 true false false", "BYE   false false false"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if m := r.last("A", "BYE"); m.Has(msg.Route) {
		t.Errorf("the BYE is\n%s", m.Raw())
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
	r.hooks["request_in"] = func(any) event.Verdict { return event.Verdict{Failed: true} }
	r.recv("caller", strings.NewReplacer("call1", "call2", "z9hG4bKinv", "z9hG4bKother").Replace(dialogRequest("INVITE", 1, "inv", "")))
	r.want("a call whose rule failed", "request_in INVITE, unrouted, response_pre_out 500 local, ! 500 caller, response_out 500 local")
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
