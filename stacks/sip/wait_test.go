package sip

import (
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
)

// waiting is a rig whose handlers at some hooks wait until they are let on.
type waiting struct {
	*rig
	at     string // hook at which they wait, or begin with
	parked func(event.Verdict, error)
}

func newWaiting(t *testing.T, at string) *waiting {
	w := &waiting{rig: newRig(t, nil, quiet...), at: at}
	w.shard.Bind(w, func(id event.PointID) bool { return w.names[id] != "" })
	w.mute = quiet
	return w
}

// Await implements [event.Awaiter].
func (w *waiting) Await(s *event.Shard, id event.PointID, e any, _ event.Kept, then func(event.Verdict, error)) {
	v := w.Dispatch(s, id, e)
	if w.names[id] != w.at {
		then(v, nil)
		return
	}
	w.at, w.parked = "", then
}

// CancelWaits implements [event.Awaiter].
func (w *waiting) CancelWaits(*event.Shard, event.Kept) { w.let(event.Verdict{}, event.ErrCanceled) }

// let lets the handler that waits return.
func (w *waiting) let(v event.Verdict, err error) {
	if then := w.parked; then != nil {
		w.parked = nil
		then(v, err)
	}
}

func TestWaitsForRoute(t *testing.T) {
	t.Parallel()
	w := newWaiting(t, "request_in")
	w.invite()
	w.want("the caller hears at once", "request_in INVITE, ! 100 caller")
	w.after(300 * time.Millisecond)
	w.invite()
	w.want("a copy meanwhile", "! 100 caller")
	w.let(relayTo("sip:a@192.0.2.11"), nil)
	w.want("decided", "request_fwded 0, ! INVITE A")
	w.reply("A", "INVITE", 200, "ta")
	w.want("answered", "response_in 200, response_fwded 200 of 200, response_pre_out 200, ! 200 caller, response_out 200")
	w.after(time.Minute)
	w.empty()
}

func TestCancelWhileWaiting(t *testing.T) {
	t.Parallel()
	w := newWaiting(t, "request_in")
	w.invite()
	w.log = nil
	w.cancel()
	w.want("CANCEL", "request_in CANCEL, e2ecancel_in, response_pre_out 487 cancel, ! 487 caller, response_out 487 cancel",
		"response_pre_out 200 local, ! 200 caller, response_out 200 local")
	w.after(time.Minute)
	w.empty()
}

func TestWaitsForFailure(t *testing.T) {
	t.Parallel()
	w := newWaiting(t, "on_failure")
	w.invite()
	w.log = nil
	w.reply("A", "INVITE", 486, "ta")
	w.want("486", "response_in 486, ! ACK A, on_branch_failure 486, on_failure_ro 486, on_failure 486")
	w.reply("A", "INVITE", 486, "ta")
	w.want("what comes meanwhile is held")
	w.let(relayTo("sip:c@192.0.2.13"), nil)
	w.want("decided", "request_fwded 1, ! INVITE C, response_in 486, ! ACK A")
	w.reply("C", "INVITE", 200, "tc")
	w.want("answered", "response_in 200, response_fwded 200 of 200, response_pre_out 200, ! 200 caller, response_out 200")
	w.after(time.Minute)
	w.empty()
}

func TestCancelWhileFailureWaits(t *testing.T) {
	t.Parallel()
	w := newWaiting(t, "on_failure")
	w.invite()
	w.reply("A", "INVITE", 486, "ta")
	w.log = nil
	w.cancel()
	w.want("CANCEL", "request_in CANCEL, e2ecancel_in, response_fwded 486 of 486, response_pre_out 486, ! 486 caller, response_out 486",
		"response_pre_out 200 local, ! 200 caller, response_out 200 local")
	w.after(time.Minute)
	w.empty()
}

// TestWaitsTooLong: a handler that never returns does not keep its transaction.
func TestWaitsTooLong(t *testing.T) {
	t.Parallel()
	w := newWaiting(t, "request_in")
	w.invite()
	for range 200 {
		w.after(10 * time.Second)
	}
	w.empty()
	if log := strings.Join(w.log, ","); !strings.Contains(log, "! 500 caller") {
		t.Errorf("the caller heard nothing: %s", log)
	}
}

// TestHeldMessagesAreBounded: what waits for a handler has a limit.
func TestHeldMessagesAreBounded(t *testing.T) {
	t.Parallel()
	w := newWaiting(t, "on_failure")
	w.invite()
	w.reply("A", "INVITE", 486, "ta")
	for range 100 {
		w.reply("A", "INVITE", 486, "ta")
	}
	if got := w.stack.Stats().HeldOver; got != 100-16 {
		t.Errorf("%d dropped, want 84", got)
	}
}

// TestLongReason: a reply that is too long says less.
func TestLongReason(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *Config) { c.Limits.Size, c.Limits.Head = 2000, 2000 }, quiet...)
	r.hooks["request_in"] = func(any) event.Verdict {
		return event.Verdict{Kind: sipev.VerdictReply, Args: &sipev.ReplyArgs{Code: 403, Reason: strings.Repeat("no ", 5000)}}
	}
	r.invite()
	if got := string(r.last("caller", "403").Reason()); got != "Forbidden" {
		t.Errorf("reason %.100s", got)
	}
}

// TestSoundChanges: what would make a message faulty is refused, and changes nothing.
func TestSoundChanges(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet...)
	r.hooks["request_in"] = func(e any) event.Verdict {
		m := e.(*sipev.RequestIn).M
		before := string(m.Text())
		for name, value := range map[string]string{"CSeq": "1 BYE", "From": "\"x", "Call-ID": "", "Max-Forwards": "many", "X(": "1"} {
			if m.SetHeader(nil, name, value) == nil {
				t.Errorf("%s: %s was taken", name, value)
			}
		}
		if m.AddHeader(nil, "To", "<sip:second@x>") == nil {
			t.Error("a second To was taken")
		}
		if got := string(m.Text()); got != before {
			t.Errorf("it became\n%s", got)
		}
		if err := m.RURI().SetHost(nil, []byte("2001:db8::1")); err != nil || string(m.RURI().Text()) != "sip:bob@[2001:db8::1]" {
			t.Errorf("%s, %v", m.RURI().Text(), err)
		}
		return relayTo("sip:a@192.0.2.11")
	}
	r.invite()
}

// TestChanges: what a rule changes is what leaves, where its hook point lets it.
func TestChanges(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet...)
	r.hooks["request_in"] = func(e any) event.Verdict {
		x := e.(*sipev.RequestIn)
		for _, err := range []error{
			x.M.RURI().SetUser(nil, []byte("o'neil #1")), x.M.AddHeader(nil, "X-Seen", "yes"),
			x.M.SetHeader(nil, "Subject", "new"), x.M.SetBody(nil, []byte("hello"), "text/plain"),
		} {
			if err != nil {
				t.Error(err)
			}
		}
		if got := string(x.M.RURI().Text()); got != "sip:o'neil%20%231@192.0.2.100" {
			t.Errorf("URI %s", got)
		}
		if err := x.M.SetHeader(nil, "Via", "x"); err == nil {
			t.Error("Via was changed")
		}
		if err := x.M.AddHeader(nil, "X", "a\r\nEvil: 1"); err == nil {
			t.Error("a line was smuggled in")
		}
		return relayTo("sip:a@192.0.2.11", "sip:b@192.0.2.12")
	}
	r.hooks["request_fwded"] = func(e any) event.Verdict {
		x := e.(*sipev.RequestFwded)
		if x.Branch == 1 {
			return event.Verdict{Kind: sipev.VerdictDrop}
		}
		_ = x.M.SetHeader(nil, "X-Seen", "twice")
		return event.Verdict{}
	}
	r.hooks["response_out"] = func(e any) event.Verdict {
		if err := e.(*sipev.ResponseOut).M.AddHeader(nil, "X", "y"); err == nil || !strings.Contains(err.Error(), "read-only") {
			t.Errorf("at response_out: %v", err)
		}
		return event.Verdict{}
	}
	r.hooks["response_fwded"] = func(e any) event.Verdict {
		_ = e.(*sipev.ResponseFwded).M.RemoveHeader(nil, "Server")
		return event.Verdict{}
	}
	r.invite()
	r.reply("A", "INVITE", 200, "ta", "Server: secret")
	in := string(r.last("A", "INVITE").Raw())
	if !strings.Contains(in, "X-Seen: twice\r\n") || !strings.Contains(in, "Content-Length: 5\r\n") || !strings.HasSuffix(in, "\r\n\r\nhello") {
		t.Errorf("forwarded\n%s", in)
	}
	if len(r.out["B"]) != 0 {
		t.Error("the branch that was dropped was sent")
	}
	if out := string(r.last("caller", "200").Raw()); strings.Contains(out, "secret") {
		t.Errorf("the caller got\n%s", out)
	}
}
