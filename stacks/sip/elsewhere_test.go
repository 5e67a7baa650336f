package sip

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// newSeveral is a rig whose calls go to a name with several servers.
func newSeveral(t *testing.T) *rig {
	r := newRig(t, nil, append(quiet, "on_branch_failure", "on_failure_ro", "response_pre_out", "response_out")...)
	r.hooks["request_in"] = func(any) event.Verdict { return relayTo("sip:s@several") }
	return r
}

// TestElsewhere is RFC 3263, 4.3: the next server is asked where one says nothing, is
// overloaded or cannot be connected to.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		fail func(w *rig)
		want string
	}{
		{"no reply", func(w *rig) { w.after(32 * time.Second) }, "! INVITE A, ! INVITE A, ! INVITE A, ! INVITE A, ! INVITE A, ! INVITE A, ! INVITE B"},
		{"overload", func(w *rig) { w.reply("A", "INVITE", 503, "ta") }, "response_in 503, ! ACK A, ! INVITE B"},
		{"no connection", func(w *rig) { w.stack.Undelivered(peer("A"), w.last("A", "INVITE").Raw()) }, "! INVITE B"},
	} {
		w := newSeveral(t)
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
	w := newSeveral(t)
	w.invite()
	w.log = nil
	w.reply("A", "INVITE", 503, "ta")
	w.stack.Undelivered(peer("A"), w.last("A", "INVITE").Raw())
	w.want("overload; what is told late means nothing", "response_in 503, ! ACK A, ! INVITE B")
	w.stack.Undelivered(peer("B"), w.last("B", "INVITE").Raw())
	w.want("no connection", "! INVITE C")
	w.stack.Undelivered(peer("C"), w.last("C", "INVITE").Raw())
	w.want("none is left", "on_failure 503 send, ! 500 caller")
	w.reply("A", "INVITE", 503, "ta")
	w.want("a copy", "response_in 503, ! ACK A")
	w.after(2 * time.Minute)
	w.empty()
}

// wide is a transport whose hops have TCP too.
type wide struct {
	*rig
	protos []string
	noTCP  bool
}

// Send implements [Transport].
func (w *wide) Send(to Hop, b []byte) error {
	if to.Reliable() && w.noTCP {
		return errors.New("refused")
	}
	if strings.HasPrefix(peers[to.Remote.String()], "A") {
		w.protos = append(w.protos, to.Proto.String())
	}
	return w.rig.Send(to, b)
}

// Find implements [Transport].
func (w *wide) Find(uri []byte, then func([]Hop, error)) {
	w.rig.Find(uri, func(hops []Hop, err error) {
		for i := range hops {
			hops[i].Stretch = true
		}
		then(hops, err)
	})
}

// TestStretch is RFC 3261, 18.1.1: a request that is long goes by TCP, and so does what
// belongs to it; where there is no TCP, by UDP.
func TestStretch(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		long  bool
		noTCP bool
		then  func(r *rig)
		want  string
	}{
		{"short", false, false, func(r *rig) { r.reply("A", "INVITE", 486, "t") }, "udp udp"},
		{"long", true, false, func(r *rig) { r.reply("A", "INVITE", 180, "t"); r.cancel(); r.reply("A", "INVITE", 487, "t") }, "tcp tcp tcp"},
		{"no TCP at once", true, true, func(r *rig) { r.reply("A", "INVITE", 486, "t") }, "udp udp"},
		{"no TCP later", true, false, func(r *rig) {
			r.stack.Undelivered(Hop{Proto: sipev.TransportTCP, Remote: peer("A").Remote}, r.last("A", "INVITE").Raw())
			r.reply("A", "INVITE", 486, "t")
		}, "tcp udp udp"},
	} {
		r := newRig(t, nil, quiet...)
		w := &wide{rig: r, noTCP: row.noTCP}
		r.stack.out = w
		text := dialogRequest("INVITE", 1, "inv", "")
		if row.long {
			text = dialogRequest("INVITE", 1, "inv", "", "Subject: "+strings.Repeat("x", 1000))
		}
		r.recv("caller", text)
		row.then(r)
		if got := strings.Join(w.protos, " "); got != row.want {
			t.Errorf("%s: by %s, want %s", row.name, got, row.want)
		}
		for _, raw := range r.out["A"] {
			m := &msg.Message{}
			_ = m.Parse(raw, msg.DefaultLimits())
			if via, err := m.Via(); err != nil || m.Method() == msg.Invite && m.Count(msg.RecordRoute) != 1+strings.Count(string(via.Transport), "TCP") {
				t.Errorf("%s: sent\n%s", row.name, raw)
			}
		}
		r.after(2 * time.Minute)
		r.empty()
	}
}
