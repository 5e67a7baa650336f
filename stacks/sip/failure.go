package sip

import (
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
)

// failed takes the first final reply of a branch that is no 2xx, and goes on when no
// branch is open any more (RFC 3261, 16.7).
func (t *Tx) failed(b *Branch, m *Message) {
	b.state, b.code, b.by = done, m.Status(), m.fakedBy
	b.over(b.outcome(m))
	if t.mine {
		t.complete(m)
		return
	}
	b.reply, b.from = append([]byte(nil), m.Raw()...), m.from.Hop
	if sipev.OnOnBranchFailure.Wanted(t.stack.shard) {
		t.picked = t.best().shown(&t.stack.shown)
		b.raiseOnBranchFailure(m)
		t.picked = nil
	}
	if b.code >= 600 && !t.stack.cfg.No6xxBlock && !t.cancel {
		t.cancelBranches(b.code)
	}
	for _, o := range t.branches {
		if o.open() {
			return
		}
	}
	t.failure(b)
}

// best returns the branch whose reply the caller would get: the lowest of rank, and of
// those the first.
func (t *Tx) best() *Branch {
	var best *Branch
	for _, b := range t.branches {
		if b.state == done && !b.past && b.reply != nil && (best == nil || rank(b.code) < rank(best.code)) {
			best = b
		}
	}
	return best
}

// rank orders final replies as TM does, which is within what RFC 3261, 16.7, step 6
// leaves open: a 6xx first, then the lowest class, and in 4xx what a caller can do
// something about.
func rank(code int) int {
	switch code / 100 {
	case 6:
		return 1000 + code%100
	case 3:
		return 3000 + code%100
	case 4:
		switch code {
		case 401, 407, 415, 420, 484:
			return 4000 + code%100
		}
		return 4100 + code%100
	case 5:
		return 5000 + code%100
	default:
		return 10000 + code
	}
}

// shown makes a branch's final reply readable in v.
func (b *Branch) shown(v *Message) *Message {
	if b == nil || v.load(b.reply, b.from, b.tx.stack.replyLimits()) != nil {
		return nil
	}
	v.fakedBy = b.by
	return v
}

// failure asks rules what to do when all branches have failed; cause is the one that
// did so last.
func (t *Tx) failure(cause *Branch) {
	s := t.stack
	pick := t.best()
	if pick == nil {
		t.answer(sipev.FakedByLocal, 480, "Temporarily Unavailable", nil)
		return
	}
	if t.goesOn(pick) {
		t.advance()
		return
	}
	if !sipev.OnOnFailure.Wanted(s.shard) && !sipev.OnOnFailureRo.Wanted(s.shard) {
		t.conclude(cause, pick)
		return
	}
	v := pick.shown(s.view())
	t.picked = v
	t.raiseOnFailureRo(v)
	t.waits = waitsForFailure
	sipev.OnOnFailure.Await(s.shard, &sipev.OnFailure{Tx: t, M: v}, func(d event.Verdict, _ error) {
		t.waits, t.picked = waitsNot, nil
		s.release(v)
		if t.state == terminated {
			return
		}
		t.afterFailure(d, cause, pick)
		t.letOn()
	})
}

// goesOn reports whether there is a step left to try, of which pick is the best reply so
// far.
func (t *Tx) goesOn(pick *Branch) bool {
	if len(t.later) == 0 || t.cancel || pick.code >= 600 && !t.stack.cfg.No6xxBlock {
		return false
	}
	return !t.later[0][0].backup || pick.useless()
}

// afterFailure does what rules decided about a failure.
func (t *Tx) afterFailure(d event.Verdict, cause, pick *Branch) {
	t.gaveUp()
	switch {
	case t.final():
	case d.Kind == sipev.VerdictReply && !t.cancel:
		t.answerArgs(d.Args.(*sipev.ReplyArgs))
	case d.Kind == sipev.VerdictRelay && !t.cancel && len(t.branches) < t.stack.cfg.MaxBranches:
		args, _ := d.Args.(*sipev.RelayArgs)
		t.relay(args)
	default:
		t.conclude(cause, pick)
	}
}

// conclude sends the picked reply to the caller, or the one that has to take its
// place.
func (t *Tx) conclude(cause, pick *Branch) {
	s := t.stack
	switch {
	case t.cancel && pick.Faked():
		t.conclusion(s.faked(t, sipev.FakedByCancel, 487, "Request Terminated", nil))
	case pick.code == 503:
		t.conclusion(s.faked(t, sipev.FakedByRemap, 500, "Server Internal Error", nil))
	case t.challenges() > 1 && (pick.code == 401 || pick.code == 407) && !s.cfg.NoAggregate:
		t.conclusion(t.merged(pick))
	case pick.Faked():
		m := pick.shown(&s.fake)
		t.conclusion(m)
	default:
		m := pick.shown(&s.in)
		c := m
		if cause != pick {
			c = cause.shown(&s.trial)
		}
		pick.passed(cause, c, m)
		t.finish(m)
	}
}

// passed is [Branch.pass] where the reply at hand is not the one that goes on.
func (b *Branch) passed(cause *Branch, c, picked *Message) {
	if c == nil {
		c = picked
	}
	cause.pass(c, picked)
}

// conclusion sends a final reply that is made here since the branches failed.
func (t *Tx) conclusion(m *Message) {
	t.local = true
	t.finish(m)
}

// challenges counts the real replies that ask for credentials.
func (t *Tx) challenges() int {
	n := 0
	for _, b := range t.branches {
		if b.challenges() {
			n++
		}
	}
	return n
}

// challenges reports whether a branch's reply asks for credentials.
func (b *Branch) challenges() bool {
	return !b.past && !b.Faked() && b.reply != nil && (b.code == 401 || b.code == 407)
}
