package sip

import (
	"bytes"
	"errors"
	"net/netip"

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
	// Locate says where a URI leads that this server gave to an instance of a user agent
	// (RFC 5627); false where that is nowhere.
	Locate(uri []byte, now int64) (Place, bool)
}

// Place is where a user agent is.
type Place struct {
	URI    string         // of its contact
	Next   string         // where requests are sent, if not to where they say
	Route  []string       // values of Route on the way there
	Socket netip.AddrPort // address of ours that they are sent from, if that matters
}

// located returns where a request of a dialog goes whose URI is an instance's and whose route
// ends here: no rule is asked about that, and of an ACK none can be. is says whether the URI
// is one.
func (s *Stack) located(uri []byte) (p Place, is bool, err error) {
	w := s.cfg.Watcher
	if w == nil || !bytes.Contains(uri, []byte(";gr")) {
		return p, false, nil
	}
	u, err := msg.ParseURI(uri)
	if err != nil || !s.self(uri) {
		return p, false, nil
	}
	if _, is = u.Param("gr"); !is {
		return p, false, nil
	}
	p, ok := w.Locate(uri, s.shard.Now())
	if !ok {
		err = errNobody
	}
	return p, true, err
}

var errNobody = errors.New("nobody is registered there")

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
