package sip

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// recordedRoute has a call begin, with parameters of a script, and returns what this server
// put into Record-Route.
func recordedRoute(r *rig, params ...event.KV) string {
	r.t.Helper()
	r.hooks["request_in"] = func(e any) event.Verdict {
		if err := e.(*sipev.RequestIn).Tx.RecordRoute(nil, params); err != nil {
			r.t.Error(err)
		}
		return relayTo("sip:a@192.0.2.11")
	}
	r.invite()
	a, err := r.last("A", "INVITE").Address(msg.RecordRoute)
	if err != nil {
		r.t.Fatal(err)
	}
	return "<" + string(a.URI) + ">"
}

// TestInDialog: a route proves the dialog that it was recorded for, to both ends, and no
// other; what a script put there is part of it.
func TestInDialog(t *testing.T) {
	t.Parallel()
	recorded := 0
	r := newRig(t, func(c *Config) { c.Recorded = func() { recorded++ } }, quiet...)
	route := recordedRoute(r, event.KV{Key: "account", Value: "alice"}, event.KV{Key: "flag", Value: true})
	code := route[strings.Index(route, ";hkd=") : len(route)-1]
	if len(code) != proofText || recorded != 1 {
		t.Fatalf("recorded %s, said %d times", route, recorded)
	}
	var got bool
	r.hooks["request_in"] = func(e any) event.Verdict {
		got = e.(*sipev.RequestIn).M.InDialog()
		return replyWith(200)
	}
	swapped := func(text string) string {
		return strings.NewReplacer("From: ", "To: ", "To: ", "From: ").Replace(text)
	}
	n := 1
	for _, row := range []struct {
		name, route, toTag string
		change             func(string) string
		want               bool
	}{
		{"the caller's", route, "ta", nil, true},
		{"the callee's", route, "ta", swapped, true},
		{"another's tag at the callee's end", route, "tb", nil, true}, // a fork's
		{"ours twice", route + ", " + route, "ta", nil, true},
		{"and a route behind", route + ", <sip:192.0.2.12;lr>", "ta", nil, true},
		{"lr with a value", strings.Replace(route, ";lr", ";lr=on", 1), "ta", nil, true},
		{"no tag", route, "", nil, false},
		{"no route", "", "ta", nil, false},
		{"of another server", strings.Replace(route, "192.0.2.100", "192.0.2.12", 1), "ta", nil, false},
		{"below another server's", "<sip:192.0.2.12;lr>, " + route, "ta", nil, false},
		{"no code", strings.Replace(route, code, "", 1), "ta", nil, false},
		{"an empty one", strings.Replace(route, code, ";hkd=", 1), "ta", nil, false},
		{"one that is cut", strings.Replace(route, code, code[:len(code)-2], 1), "ta", nil, false},
		{"one that is longer", strings.Replace(route, code, code+"00", 1), "ta", nil, false},
		{"no digits", strings.Replace(route, code, ";hkd=gggggggggggggggg", 1), "ta", nil, false},
		{"a forged one", strings.Replace(route, code, ";hkd=0123456789abcdef", 1), "ta", nil, false},
		{"a changed parameter", strings.Replace(route, "account=alice", "account=bob", 1), "ta", nil, false},
		{"one taken away", strings.Replace(route, ";flag", "", 1), "ta", nil, false},
		{"one more", strings.Replace(route, code, ";more"+code, 1), "ta", nil, false},
		{"another call's", route, "ta", func(s string) string { return strings.Replace(s, "Call-ID: call1", "Call-ID: call2", 1) }, false},
		{"another caller's", route, "ta", func(s string) string { return strings.Replace(s, ";tag=a", ";tag=b", 1) }, false},
		{"behind a strict router", "<sip:bob@192.0.2.11>", "ta", func(s string) string {
			return strings.Replace(s, "sip:bob@192.0.2.11 SIP", route[1:len(route)-1]+" SIP", 1)
		}, true},
	} {
		n++
		var lines []string
		if row.route != "" {
			lines = append(lines, "Route: "+row.route)
		}
		text := dialogRequest("INFO", n, fmt.Sprint("b", n), row.toTag, lines...)
		if row.change != nil {
			text = row.change(text)
		}
		got = !row.want
		r.recv("caller", text)
		if got != row.want {
			t.Errorf("%s: %v\n%s", row.name, got, text)
		}
	}
}

// TestRouteKey: a route is proven by the key that is kept, whatever the process's own, and
// by no other.
func TestRouteKey(t *testing.T) {
	t.Parallel()
	with := func(own, kept byte) *rig {
		return newRig(t, func(c *Config) { c.Key[0], c.RouteKey[0] = own, kept }, quiet...)
	}
	route := recordedRoute(with(1, 7))
	for _, row := range []struct {
		own, kept byte
		want      bool
	}{{1, 7, true}, {2, 7, true}, {1, 8, false}, {1, 0, false}} {
		r := with(row.own, row.kept)
		got := !row.want
		r.hooks["request_in"] = func(e any) event.Verdict {
			got = e.(*sipev.RequestIn).M.InDialog()
			return replyWith(200)
		}
		r.recv("A", dialogRequest("BYE", 2, "bye", "ta", "Route: "+route))
		if got != row.want {
			t.Errorf("with the keys %d and %d: %v", row.own, row.kept, got)
		}
	}
}

// TestInDialogOfOthers: who looks on at what passes has no key to its routes, and takes the tag
// for it.
func TestInDialogOfOthers(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet...)
	var got []bool
	r.hooks["request_in"] = func(e any) event.Verdict {
		got = append(got, e.(*sipev.RequestIn).M.InDialog())
		return event.Verdict{}
	}
	o := NewObserver(r.shard, Config{})
	for i, tag := range []string{"", "ta"} {
		o.Pass(peer("caller"), []byte(dialogRequest("INVITE", i+1, fmt.Sprint("b", i), tag, "Route: <sip:192.0.2.100:5060;lr>")))
	}
	if len(got) != 2 || got[0] || !got[1] {
		t.Errorf("without a tag and with one: %v", got)
	}
}
