package services

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip"
	"github.com/hookd/hookd/stacks/sip/dialog"
)

// caller and callee are the ends of calls.
var (
	caller = hop(sipev.TransportUDP, "192.0.2.1:5060")
	callee = hop(sipev.TransportUDP, "192.0.2.11:5060")
)

// relay is a policy that follows calls and sends them to the callee.
func (b *bench) relay(options any) func(tx *sip.Tx, m *sip.Message) event.Verdict {
	return func(tx *sip.Tx, _ *sip.Message) event.Verdict {
		if err := b.desk.DialogTrack(b.by(), tx, options); err != nil {
			b.t.Error(err)
		}
		return event.Verdict{Kind: sipev.VerdictRelay, Args: &sipev.RelayArgs{To: "sip:bob@192.0.2.11", RecordRoute: true}}
	}
}

// profile makes options that say one word.
func profile(word string) []event.KV { return []event.KV{{Key: "profiles", Value: []any{word}}} }

// TestCalls: from the INVITE to each of its ends.
func TestCalls(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		do   func(b *bench)
		want []string
		left uint32
	}{
		{"it rings", func(*bench) {}, nil, 1},
		{"it fails", func(b *bench) { b.after(3 * time.Second); b.answer("192.0.2.11", 404) }, []string{"call failed 404 after 3.001s and 0s"}, 0},
		{"nobody answers", func(b *bench) { b.after(40 * time.Second) }, []string{"call failed 408 after 32s and 0s"}, 0},
		{"it is answered", func(b *bench) { b.after(time.Second); b.answer("192.0.2.11", 200) }, []string{"call answered after 1.001s"}, 1},
		{"nobody hangs up", func(b *bench) { b.answer("192.0.2.11", 200); b.after(time.Hour) }, []string{"call answered after 1ms", "call lapsed 200 after 1ms and 29m59.999s"}, 0},
		{"the caller gives up", func(b *bench) {
			b.answer("192.0.2.11", 180)
			b.n-- // a CANCEL has the branch and the number of its INVITE
			b.request(caller, "CANCEL", "a", nil)
			b.answer("192.0.2.11", 200)
			b.after(40 * time.Second)
		}, []string{"call canceled 487 after 32.002s and 0s"}, 0},
	} {
		b := newBench(t, Config{})
		b.request(caller, "INVITE", "a", b.relay([]event.KV{{Key: "profiles", Value: []any{"p"}}, {Key: "timeout", Value: "30m"}}))
		row.do(b)
		if row.want != nil {
			b.heard(row.want...)
		}
		if n := b.desk.DialogCount(b.by(), "p"); n != row.left || len(b.desk.DialogList(b.by(), "p", 0, false).([]any)) != int(n) {
			t.Errorf("%s: %d calls are left, want %d", row.name, n, row.left)
		}
	}

	// Who hangs up is told by tags; a BYE that is refused ends nothing.
	for _, row := range []struct {
		name, tags string
		from       sip.Hop
		code       int
		want       []string
	}{
		{"the caller hangs up", "a t", caller, 200, []string{"call caller 200 after 1ms and 5.002s"}},
		{"the callee hangs up", "t a", callee, 200, []string{"call callee 200 after 1ms and 5.002s"}},
		{"nobody knows the call there", "a t", caller, 481, []string{"call caller 200 after 1ms and 5.002s"}},
		{"it is refused", "a t", caller, 401, nil},
		{"of another call", "a u", caller, 200, nil},
	} {
		b := newBench(t, Config{})
		b.request(caller, "INVITE", "a", b.relay(profile("p")))
		b.answer("192.0.2.11", 200)
		b.told = nil
		b.after(5 * time.Second)
		b.n = 10
		b.request(row.from, "BYE", row.tags, func(*sip.Tx, *sip.Message) event.Verdict {
			return event.Verdict{Kind: sipev.VerdictRelay, Args: &sipev.RelayArgs{To: "sip:x@192.0.2.12"}}
		})
		b.answer("192.0.2.12", row.code)
		if diff := cmp.Diff(row.want, b.told); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
	}
}

// TestCallRows: what is said of a call while it lasts.
func TestCallRows(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{})
	b.request(caller, "INVITE", "a", b.relay([]event.KV{{Key: "profiles", Value: []any{"p", "q"}}, {Key: "data", Value: "kept"}}))
	row := func() any { return b.desk.DialogList(b.by(), "", 5, true).([]any)[0] }
	for key, want := range map[string]any{
		"call_id": "call", "from": "sip:alice@example.com", "uri": "sip:bob@192.0.2.100", "source": "192.0.2.1:5060", "profiles": []any{"p", "q"}, "began": 1000.0, "data": "kept",
	} {
		if diff := cmp.Diff(want, field(row(), key)); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
	if field(row(), "answered") != nil {
		t.Error("it is answered before it is")
	}
	b.after(2 * time.Second)
	b.answer("192.0.2.11", 200)
	if got := field(row(), "answered"); got != 1002.001 {
		t.Errorf("it was answered at %v", got)
	}
	if got := b.desk.DialogList(b.by(), "other", 0, false).([]any); len(got) != 0 {
		t.Errorf("of another profile there are %v", got)
	}
}

// TestTrackRefuses: what cannot be followed, and what follows nothing.
func TestTrackRefuses(t *testing.T) {
	t.Parallel()
	b := newBench(t, Config{Dialogs: dialog.Limits{Calls: 1, Profiles: 2}})
	b.request(caller, "INVITE", "a", func(tx *sip.Tx, _ *sip.Message) event.Verdict {
		for _, row := range []struct {
			options any
			want    string
		}{
			{7.0, "a table of options expected"},
			{[]event.KV{{Key: "word", Value: "x"}}, "word: unknown"},
			{[]event.KV{{Key: "profiles", Value: 7.0}}, "profiles: "},
			{[]event.KV{{Key: "timeout", Value: "0s"}}, "timeout: a time expected"},
			{[]event.KV{{Key: "timeout", Value: "soon"}}, "timeout: "},
			{[]event.KV{{Key: "profiles", Value: []any{"a", "b", "c"}}}, "too many profiles"},
		} {
			fails(t, fmt.Sprint(row.options), b.desk.DialogTrack(b.by(), tx, row.options), "dialog.track: "+row.want)
		}
		if err := b.desk.DialogTrack(b.trying(), tx, 7.0); err != nil {
			t.Errorf("a try: %v", err)
		}
		if err := b.desk.DialogTrack(b.by(), tx, nil); err != nil {
			t.Error(err)
		}
		return event.Verdict{Kind: sipev.VerdictRelay, Args: &sipev.RelayArgs{To: "sip:bob@192.0.2.11"}}
	})
	for _, row := range []struct{ method, tags, want string }{
		{"OPTIONS", "x", "an INVITE that begins a call"}, {"INVITE", "x y", "an INVITE that begins a call"}, {"INVITE", "x", "too many calls"},
	} {
		b.request(caller, row.method, row.tags, func(tx *sip.Tx, _ *sip.Message) event.Verdict {
			fails(t, row.method, b.desk.DialogTrack(b.by(), tx, nil), row.want)
			return reply(200)
		})
	}
	if s := b.desk.Stats(); s.Dialogs != 1 || s.DialogsRefused != 1 || s.DialogsTracked != 1 {
		t.Errorf("%+v", s)
	}
}
