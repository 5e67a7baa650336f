package dns

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
)

// ErrQuestion says that a message cannot be passed on: it is no question, or several.
var ErrQuestion = errors.New("dns: not one question")

// Relay asks a question as it is, of servers or, without any, of those in the
// settings, and calls done once in the shard, later, with an answer as it came, whose
// identifier is the question's; never if cancel is called before. stream asks over TCP,
// for who asks over that himself; otherwise an answer can be truncated. Nothing is
// remembered.
func (r *Resolver) Relay(question []byte, servers []netip.AddrPort, stream bool, done func(answer []byte, err error)) (cancel func()) {
	m, err := Parse(question)
	w := &waiter{done: func(a Answer) { done(nil, a.Err) }}
	switch {
	case r.closed:
		err = ErrClosed
	case err == nil && (m.Response || len(m.Questions) != 1):
		err = ErrQuestion
	case len(r.relays) >= r.cfg.Questions:
		r.stats.Refused++
		err = ErrLimit
	}
	if err != nil {
		w.soon(r, Answer{Err: err})
		return w.cancel
	}
	if len(servers) == 0 {
		servers = r.set.Servers
	}
	q := m.Questions[0]
	f := &flight{
		r: r, key: key{fold(q.Name), q.Type}, best: ErrTimeout, left: slices.Clone(servers),
		relay: &relay{question: slices.Clone(question), id: m.ID, class: q.Class, stream: stream, done: done},
	}
	r.relays[f] = true
	r.stats.Questions++
	f.arm(0)
	return func() {
		f.relay.done = nil
		f.finish(Answer{})
	}
}

// relay is what a flight has that passes a question on.
type relay struct {
	question []byte
	id       uint16
	class    uint16
	stream   bool
	done     func([]byte, error)
}

// ask returns the question with an identifier of its own.
func (x *relay) ask(id uint16) []byte {
	p := slices.Clone(x.question)
	binary.BigEndian.PutUint16(p, id)
	return p
}

// passOn gives an answer to who asked.
func (f *flight) passOn(p []byte) {
	p = slices.Clone(p)
	binary.BigEndian.PutUint16(p, f.relay.id)
	done := f.relay.done
	f.relay.done = nil
	f.finish(Answer{})
	if done != nil {
		done(p, nil)
	}
}

// endRelay ends one that had no answer, if why is set.
func (f *flight) endRelay(why error) {
	delete(f.r.relays, f)
	if done := f.relay.done; done != nil && why != nil {
		f.relay.done = nil
		done(nil, why)
	}
}
