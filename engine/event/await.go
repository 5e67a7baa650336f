package event

import "errors"

// Why an event that was raised by [Point.Await] was not decided.
var (
	ErrQueue    = errors.New("event: too many events of its subject wait")
	ErrCanceled = errors.New("event: nobody decides: its subject ended while a handler waited")
)

// Await raises e as [Point.Emit] does, for handlers that may wait, and calls then
// with what was decided: before it returns where none waited, else later, with
// the shard entered. While a handler waits, later events of the same subject that
// are raised by Await queue behind this one; everything else goes on. A stack
// that declares `waits: suspend` raises all events of such subjects by Await.
//
// The error is [ErrQueue] when too many events of the subject wait, so that no
// rule sees this one, and [ErrCanceled] when the waiting was ended by
// [Shard.CancelWaits] or because the engine stops. The event is lent until Await
// returns: a copy of the struct is kept, so what it refers to must last.
//
// The caller has entered s.
func (p Point[E]) Await(s *Shard, e *E, then func(Verdict, error)) {
	p.AwaitFor(s, e, nil, then)
}

// AwaitFor raises e as [Point.Await] does, on behalf of who in the place of its subject: a
// handler that waits holds up what is raised for who, and nothing else, and
// [Shard.CancelWaits] of who ends its waiting. It is for events about what is on its way to
// a subject that many others are on their way to, too: TLS handshakes of a listener.
func (p Point[E]) AwaitFor(s *Shard, e *E, who Kept, then func(Verdict, error)) {
	a, ok := s.dispatcher.(Awaiter)
	if !ok {
		then(p.Emit(s, e), nil)
		return
	}
	s.Tell()
	a.Await(s, p.id, e, who, then)
}

// Awaiter is a [Dispatcher] whose handlers can wait. The engine implements it.
type Awaiter interface {
	// Await does what [Point.AwaitFor] says; without who, what [Point.Await] says. An
	// event that nothing is bound to waits its turn, too.
	Await(s *Shard, id PointID, e any, who Kept, then func(Verdict, error))
	// CancelWaits does what [Shard.CancelWaits] says.
	CancelWaits(s *Shard, subject Kept)
}

// CancelWaits ends what handlers of an object's events wait for, and then lets the
// queued events go on. The stack calls it when the object ended, before it raises
// the event that says so. The caller has entered s.
func (s *Shard) CancelWaits(subject Kept) {
	if a, ok := s.dispatcher.(Awaiter); ok {
		a.CancelWaits(s, subject)
	}
}
