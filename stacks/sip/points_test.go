package sip

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/sipev"
)

// changeable says what the declaration of each hook point says of its message: that it may be
// changed, or that it is read-only.
func changeable(t *testing.T) map[string]bool {
	t.Helper()
	says := map[string]bool{}
	for _, f := range catalogue.All() {
		for _, e := range f.Events {
			name, ok := strings.CutPrefix(e.Name, "sip.")
			i := slices.IndexFunc(e.Fields, func(f event.Field) bool { return f.Name == "m" })
			if !ok || i < 0 {
				continue
			}
			doc := e.Fields[i].Doc
			if says[name] = strings.Contains(doc, "changed"); says[name] == strings.Contains(doc, "read-only") {
				t.Errorf("%s: %q does not say whether the message may be changed", name, doc)
			}
		}
	}
	return says
}

// TestDeclaredChanges tries to change the message at every hook point that has one: it is
// changed where the declaration says so, and else not, and what an error says is why.
func TestDeclaredChanges(t *testing.T) {
	t.Parallel()
	says := changeable(t)
	seen := map[string]bool{}
	r := newRig(t, nil)
	try := func(name string) func(any) event.Verdict {
		return func(e any) event.Verdict {
			m := reflect.ValueOf(e).Elem().FieldByName("M").Interface().(*Message)
			may := says[name]
			if f, ok := e.(*sipev.ResponseFwded); ok {
				may = f.Tx.Picked() == f.M // another one goes
			}
			before := string(m.Text())
			err := m.SetHeader(nil, "X-Tried", name)
			if (err == nil) != may || err != nil && (string(m.Text()) != before || !strings.Contains(err.Error(), "read-only at this hook point")) {
				t.Errorf("%s: %v; declared changeable: %v", name, err, may)
			}
			if err == nil && !strings.Contains(string(m.Text()), "X-Tried: "+name+"\r\n") {
				t.Errorf("%s: it is not changed\n%s", name, m.Text())
			}
			seen[name] = true
			return event.Verdict{}
		}
	}
	for name := range says {
		r.hooks[name] = try(name)
	}
	relay := func(e any) event.Verdict {
		try("request_in")(e)
		if e.(*sipev.RequestIn).Tx.CallID() == "lost" {
			return event.Verdict{}
		}
		return relayTo("sip:a@192.0.2.11", "sip:b@192.0.2.12")
	}
	r.hooks["request_in"] = relay

	r.invite() // one that is answered
	r.invite()
	r.reply("A", "INVITE", 180, "ta")
	r.reply("B", "INVITE", 486, "tb")
	r.reply("A", "INVITE", 200, "ta")
	r.ack("ack1", "ta")
	r.ack("ack2", "ta")
	next := func(id string, method, toTag string) {
		r.recv("caller", strings.NewReplacer("Call-ID: call1", "Call-ID: "+id, "z9hG4bKinv", "z9hG4bK"+id).Replace(dialogRequest(method, 1, "inv", toTag)))
	}
	next("fails", "INVITE", "") // one that fails, of which another reply goes than came last
	r.reply("A", "INVITE", 404, "ta")
	r.reply("B", "INVITE", 486, "tb")
	next("fails", "ACK", "x")
	next("gives-up", "INVITE", "")
	r.reply("A", "INVITE", 180, "ta")
	next("gives-up", "CANCEL", "")
	next("lost", "OPTIONS", "")
	own(r, "INVITE") // of this server's own
	r.reply("A", "INVITE", 180, "ta")
	r.reply("A", "INVITE", 200, "ta", "Contact: <sip:a@192.0.2.11>")
	r.after(5 * time.Minute)
	for name := range says {
		if !seen[name] {
			t.Errorf("%s was not passed", name)
		}
	}
}
