package sip

import (
	"sort"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// trying sends the 100 that stops a caller from repeating its INVITE.
func (t *Tx) trying(tell bool) {
	if t.code != 0 {
		return
	}
	m := t.stack.faked(t, sipev.FakedByLocal, 100, "Trying", nil)
	if tell {
		t.raiseRequestPending(m)
	}
	t.code, t.last = 100, append([]byte(nil), m.Raw()...)
	if t.stack.send(t.back, t.last) && tell {
		t.raiseResponseSent(t.last, false)
	}
}

// answerArgs answers as a rule said.
func (t *Tx) answerArgs(a *sipev.ReplyArgs) {
	code, reason := int(a.Code), a.Reason
	if code < 200 || code > 699 {
		code, reason = 500, "Server Internal Error"
	}
	if reason == "" {
		reason = msg.ReasonOf(code)
	}
	for i := range len(reason) {
		if reason[i] == '\r' || reason[i] == '\n' {
			reason = msg.ReasonOf(code)
			break
		}
	}
	t.answer(sipev.FakedByLocal, code, reason, HeaderLines(a.Headers))
}

// HeaderLines makes header fields of a table, in the order of their names. What is no
// name or would end its line is left out.
func HeaderLines(table any) []byte {
	list, _ := table.([]event.KV)
	list = append([]event.KV(nil), list...)
	sort.SliceStable(list, func(i, j int) bool { return list[i].Key < list[j].Key })
	var out []byte
	for _, kv := range list {
		values, several := kv.Value.([]any)
		if !several {
			values = []any{kv.Value}
		}
		for _, v := range values {
			out = msg.AppendField(out, kv.Key, plainText(v))
		}
	}
	return out
}

// answer ends a transaction with a final reply that is made here. Branches that are
// open are cancelled.
func (t *Tx) answer(by sipev.FakedBy, code int, reason string, fields []byte) {
	if t.final() || t.mine {
		return
	}
	t.local = true
	t.finish(t.stack.faked(t, by, code, reason, fields))
	t.cancelBranches(code)
}

// finish sends the final reply m to the caller, and begins what follows it. The
// status is set before anything is written, so that an ACK which comes at once finds
// it.
func (t *Tx) finish(m *Message) {
	code := m.Status()
	t.code, t.last = code, append(t.last[:0], m.Raw()...)
	switch {
	case code < 300:
		t.state = accepted
	default:
		t.state = completed
	}
	by := m.fakedBy
	if w := t.stack.cfg.Watcher; w != nil {
		w.Final(t, m)
	}
	t.raiseResponseReady(t.last, by)
	t.raiseResponsePreOut(t.last, by)
	if !t.invite() && code == 408 && !t.stack.cfg.Timeout408 {
		t.stack.stats.Unanswered++
		t.last = nil
	} else if t.stack.send(t.back, t.last) {
		t.raiseResponseOut(t.last, by)
		t.raiseResponseSent(t.last, false)
	}
	if t.invite() && len(t.last) != 0 && (code >= 300 && !t.back.Reliable() || code < 300 && t.local) {
		t.interval = t.stack.cfg.T1
		t.stack.arm(&t.retr, t.interval, t.resend)
	}
	t.linger()
	t.lean()
}

// resend repeats a final reply until it is acknowledged (timer G).
func (t *Tx) resend(int64) {
	if t.state != completed && (t.state != accepted || !t.local) {
		return
	}
	if t.stack.send(t.back, t.last) && t.waits == waitsNot {
		t.raiseResponseSent(t.last, true)
	}
	t.interval = min(2*t.interval, t.stack.cfg.T2)
	t.stack.arm(&t.retr, t.interval, t.resend)
}

// push sends a reply to the caller that is no first final one: provisional, or a 2xx
// after a final reply (RFC 3261, 16.7).
func (t *Tx) push(m *Message, fresh bool) {
	t.text(m)
	out := t.stack.text
	by := m.fakedBy
	if m.Status() < 200 {
		t.code, t.last = m.Status(), append(t.last[:0], out...)
	}
	t.raiseResponseReady(out, by)
	if fresh {
		t.raiseResponsePreOut(out, by)
	}
	sent := t.stack.send(t.back, out)
	if sent && fresh {
		t.raiseResponseOut(out, by)
	}
	if sent && (fresh || m.Status() < 200) {
		t.raiseResponseSent(out, false)
	}
}

// text keeps a message's bytes where the next message does not overwrite them.
func (t *Tx) text(m *Message) { t.stack.text = append(t.stack.text[:0], m.Raw()...) }

// expire ends a transaction that has lasted too long without a final reply.
func (t *Tx) expire(int64) {
	if t.final() {
		t.end(0)
		return
	}
	if t.waits != waitsNot {
		t.stack.shard.CancelWaits(t)
	}
	t.later = nil
	open := false
	for _, b := range t.branches {
		if b.open() {
			open = true
			b.timeout()
		}
	}
	if !open && !t.final() && t.waits == waitsNot {
		t.answer(sipev.FakedByTimer, 408, "Request Timeout", nil)
	}
	if !t.final() {
		t.arm(t.stack.cfg.Linger, t.expire)
	}
}

// SetFrTimer implements [sipev.Tx].
func (t *Tx) SetFrTimer(_ *event.Caller, d time.Duration) error { return setTime(&t.fr, d) }

// SetFrInvTimer implements [sipev.Tx].
func (t *Tx) SetFrInvTimer(_ *event.Caller, d time.Duration) error { return setTime(&t.frInv, d) }

// SetMaxLifetime implements [sipev.Tx].
func (t *Tx) SetMaxLifetime(_ *event.Caller, d time.Duration) error {
	if err := setTime(&t.maxLife, d); err != nil || t.final() || t.seen != nil {
		return err
	}
	t.arm(d, t.expire)
	return nil
}

// SetNoisyCtimer implements [sipev.Tx].
func (t *Tx) SetNoisyCtimer(_ *event.Caller, noisy bool) error {
	t.noisy = noisy
	return nil
}
