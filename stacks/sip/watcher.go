package sip

import (
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// Outcome says what became of a request that was forwarded.
type Outcome uint8

// The outcomes.
const (
	GivenUp   Outcome = iota // nobody waits for it any more
	Reached                  // somebody answered, or it rang
	Unreached                // nobody answered, or no more than a 503
)

// Watcher works beside a stack, and is told natively of what passes it. Its methods are
// called with the shard entered and in the middle of what the stack does: they raise no
// events and send nothing.
type Watcher interface {
	// Attach is called once, by [New].
	Attach(s *Stack)
	// Began is told of a branch whose target is of a set, by the set and the target's
	// next hop, and Over what became of it: once for each.
	Began(set, next string)
	Over(set, next string, what Outcome)
	// Final is told of the final reply m that a transaction's caller gets, Gone that one
	// ends that had none.
	Final(t *Tx, m *Message)
	Gone(t *Tx)
}

// begin tells who watches of a branch that was made.
func (b *Branch) begin() {
	if w := b.tx.stack.cfg.Watcher; w != nil && b.set != "" {
		b.watched = true
		w.Began(b.set, string(b.next))
	}
}

// over tells who watches what became of a branch.
func (b *Branch) over(what Outcome) {
	if b.watched {
		b.watched = false
		b.tx.stack.cfg.Watcher.Over(b.set, string(b.next), what)
	}
}

// outcome is what a branch's final reply says of who was asked.
func (b *Branch) outcome(m *Message) Outcome {
	switch m.fakedBy {
	case sipev.FakedByCancel, sipev.FakedByLocal:
		return GivenUp
	case sipev.FakedByTimer, sipev.FakedBySend:
		if !b.rang {
			return Unreached
		}
	}
	if m.Status() == 503 {
		return Unreached
	}
	return Reached
}

// useless reports whether a branch failed in a way that says nothing of who was called:
// nobody answered, or what did is out of order. Another may do better.
func (b *Branch) useless() bool {
	switch b.by {
	case sipev.FakedByTimer, sipev.FakedBySend:
		return !b.rang
	default:
		return b.code/100 == 5
	}
}

// ofDialog reports whether a request belongs to a dialog.
func ofDialog(m *msg.Message) bool {
	_, ok := tagOf(m, msg.To)
	return ok
}
