package sip

import (
	"testing"
	"time"

	"github.com/hookd/hookd/stacks/sip/msg"
)

// several is a rig whose name has several servers.
type several struct {
	*rig
	hops []Hop
}

// Find implements [Transport].
func (w *several) Find(_ []byte, then func([]Hop, error)) { then(w.hops, nil) }

func newSeveral(t *testing.T, names ...string) *several {
	w := &several{rig: newRig(t, nil, append(quiet, "on_branch_failure", "on_failure_ro", "response_pre_out", "response_out")...)}
	for _, n := range names {
		w.hops = append(w.hops, peer(n))
	}
	w.stack = New(w.shard, DefaultConfig(), w)
	return w
}

// TestElsewhere is RFC 3263, 4.3: the next server is asked where one says nothing, is
// overloaded or cannot be connected to.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		fail func(w *several)
		want string
	}{
		{"no reply", func(w *several) { w.after(32 * time.Second) }, "! INVITE A, ! INVITE A, ! INVITE A, ! INVITE A, ! INVITE A, ! INVITE A, ! INVITE B"},
		{"overload", func(w *several) { w.reply("A", "INVITE", 503, "ta") }, "response_in 503, ! ACK A, ! INVITE B"},
		{"no connection", func(w *several) { w.stack.Undelivered(w.hops[0], w.last("A", "INVITE").Raw()) }, "! INVITE B"},
	} {
		w := newSeveral(t, "A", "B")
		w.invite()
		w.log = nil
		row.fail(w)
		w.want(row.name, row.want)
		first, second := w.last("A", "INVITE"), w.last("B", "INVITE")
		a, errA := first.Via()
		b, errB := second.Via()
		if errA != nil || errB != nil || string(a.Branch()) == string(b.Branch()) {
			t.Errorf("%s: both have the branch %s", row.name, a.Branch())
		}
		for _, n := range [...]msg.Name{msg.ViaName, msg.RecordRoute} {
			if first.Count(n) != second.Count(n) {
				t.Errorf("%s: sent first\n%s\nthen\n%s", row.name, first.Raw(), second.Raw())
			}
		}
		w.reply("B", "INVITE", 200, "tb")
		w.want("answered", "response_in 200, response_fwded 200 of 200, ! 200 caller")
		w.after(2 * time.Minute)
		w.empty()
	}
}

// TestNowhere: the last server fails as one alone does.
func TestNowhere(t *testing.T) {
	t.Parallel()
	w := newSeveral(t, "A", "B")
	w.invite()
	w.log = nil
	w.reply("A", "INVITE", 503, "ta")
	w.stack.Undelivered(w.hops[0], w.last("A", "INVITE").Raw())
	w.want("overload; what is told late means nothing", "response_in 503, ! ACK A, ! INVITE B")
	w.stack.Undelivered(w.hops[1], w.last("B", "INVITE").Raw())
	w.want("no connection", "on_failure 503 send, ! 500 caller")
	w.reply("A", "INVITE", 503, "ta")
	w.want("a copy", "response_in 503, ! ACK A")
	w.after(2 * time.Minute)
	w.empty()
}
