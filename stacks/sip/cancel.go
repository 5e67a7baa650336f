package sip

import (
	"strconv"

	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// cancelTarget does what a CANCEL asks for: t is its own transaction (RFC 3261, 9.2,
// 16.10).
func (t *Tx) cancelTarget() {
	s := t.stack
	// The key of its INVITE differs in the method alone, whatever rules changed.
	s.key = append(append(s.key[:0], byte(msg.Invite)), t.key[1:]...)
	target := s.servers[string(s.key)]
	if target == nil {
		t.answer(sipev.FakedByLocal, 481, "Call/Transaction Does Not Exist", nil)
		return
	}
	target.giveUp(t.view())
	t.answer(sipev.FakedByLocal, 200, "Canceling", nil)
}

// giveUp ends an INVITE since its caller wants so. While a handler decides about it,
// that ends, and the rest follows when it has.
func (t *Tx) giveUp(m *Message) {
	if t.final() || t.cancel {
		return
	}
	t.cancel = true
	if t.waits != waitsNot {
		t.quit = append([]byte(nil), m.Raw()...)
		t.stack.shard.CancelWaits(t)
		return
	}
	t.raiseE2ecancelIn(m)
	t.cancelBranches(0)
	if len(t.branches) == 0 {
		t.answer(sipev.FakedByCancel, 487, "Request Terminated", nil)
	}
}

// gaveUp tells of a CANCEL that came while a handler waited.
func (t *Tx) gaveUp() {
	if t.quit == nil {
		return
	}
	m := &t.stack.trial
	if m.load(t.quit, t.source.Hop, t.stack.replyLimits()) == nil {
		t.raiseE2ecancelIn(m)
	}
	t.quit = nil
}

// cancelBranches cancels the branches that are open; cause is the status that made
// them needless, 0 where the caller gave up.
func (t *Tx) cancelBranches(cause int) {
	for _, b := range t.branches {
		if !b.open() {
			continue
		}
		switch {
		case b.state == built:
			b.unwanted = true
			if t.final() {
				b.state = done
				b.over(GivenUp)
			}
		case t.invite():
			b.giveUp(cause)
		default:
			b.stop()
			b.state = done
			b.over(GivenUp)
		}
	}
}

// giveUp cancels a branch: at once if it has answered, else as soon as it does (RFC
// 3261, 9.1).
func (b *Branch) giveUp(cause int) {
	if b.unwanted {
		return
	}
	b.unwanted = true
	b.bye = cancelReason(cause)
	if b.state == proceeding || b.by == sipev.FakedByTimer && b.state == done {
		b.sendCancel()
	}
}

// cancelReason is the Reason of a CANCEL (RFC 3326).
func cancelReason(cause int) []byte {
	if cause == 0 {
		return []byte{}
	}
	r := strconv.AppendInt([]byte("Reason: SIP;cause="), int64(cause), 10)
	return append(append(append(r, ";text=\""...), cancelText(cause)...), "\"\r\n"...)
}

func cancelText(cause int) string {
	if cause == 200 {
		return "Call completed elsewhere"
	}
	return msg.ReasonOf(cause)
}

// sendCancel sends the branch's CANCEL, and repeats it until it is answered. If the
// branch does not end for all that, it is given up after 64*T1.
func (b *Branch) sendCancel() {
	s := b.tx.stack
	if b.canceled || b.out == nil {
		return
	}
	m := &s.trial
	if m.load(b.out, Hop{}, s.replyLimits()) != nil {
		return
	}
	b.canceled = true
	b.bye = msg.AppendCancel(nil, &m.Message, b.bye)
	if b.open() {
		s.arm(&b.fr, 64*s.cfg.T1, b.expire)
	}
	if s.send(*b.to(), b.bye) {
		b.raiseRequestSent(b.bye, false)
	}
	if !b.to().Reliable() {
		b.cinterval, b.until = s.cfg.T1, s.shard.Now()+int64(64*s.cfg.T1)
		s.arm(&b.cretr, b.cinterval, b.resendCancel)
	}
}

// resendCancel is timer E of the CANCEL.
func (b *Branch) resendCancel(now int64) {
	s := b.tx.stack
	if now >= b.until {
		return
	}
	if s.send(*b.to(), b.bye) && b.tx.waits == waitsNot {
		b.raiseRequestSent(b.bye, true)
	}
	b.cinterval = min(2*b.cinterval, s.cfg.T2)
	s.arm(&b.cretr, b.cinterval, b.resendCancel)
}
