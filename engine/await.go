package engine

import (
	"errors"

	"github.com/hookd/hookd/engine/event"
)

// awaited is an event that was raised for handlers that may wait.
type awaited struct {
	id      event.PointID
	info    *event.Info
	event   any
	subject event.Kept // nil where it is about none
	then    func(event.Verdict, error)
}

// held is a subject a handler of which waits, with the events that queue behind.
type held struct {
	by    *walk
	queue []awaited
}

// walk is the way of one event through the rules of its point. It has a goroutine
// of its own, which runs only while whoever entered the shard lets it: where a
// handler waits, the walk is left with all that the engine was about to do, and
// entered again there.
type walk struct {
	shard   *shard
	outcome outcome
	gen     *Generation
	enter   chan struct{} // closed when there is nothing left to do
	leave   chan struct{}
	waits   Suspended // what the handler that runs waits for
	ended   bool
	// What the shard had in hand when the walk was left.
	depth   int
	payload any
	memo    []Answer
}

// maxSpareWalks is how many goroutines wait for the next event.
const maxSpareWalks = 4

// errCanceled ends a handler whose subject or engine ended.
var errCanceled = errors.New("engine: canceled")

// Await implements [event.Awaiter].
func (s *shard) Await(_ *event.Shard, id event.PointID, e any, then func(event.Verdict, error)) {
	a := awaited{id: id, info: s.engine.points[id], event: e, then: then}
	if f := a.info.Subject(); f != nil {
		a.subject, _ = f.Get.Object(e).(event.Kept)
	}
	if len(s.held) > 0 {
		if h := s.held[a.subject]; h != nil {
			s.enqueue(h, a)
			return
		}
	}
	s.await(a)
	s.settle()
}

// mayWait reports whether a handler that the event reaches can wait.
func (s *shard) mayWait(p *pointPlan, e any) bool {
	for _, list := range [2][]*entry{p.root.order, p.root.last} {
		for _, en := range list {
			if en.rule.waits {
				return true
			}
		}
	}
	if s.dynamic[p.where.ID] == 0 {
		return false
	}
	for _, x := range s.boundAt(&outcome{plan: p, event: e}, p.where.ID) {
		if x.entry.rule.waits {
			return true
		}
	}
	return false
}

// enqueue puts an event behind the one whose handler waits.
func (s *shard) enqueue(h *held, a awaited) {
	if len(h.queue) >= s.engine.cfg.Limits.SubjectQueue {
		s.queueRefused++
		a.then(event.Verdict{}, event.ErrQueue)
		return
	}
	a.event = a.info.Clone(a.event)
	h.queue = append(h.queue, a)
}

// await raises an event whose turn it is and reports whether it came to its end.
func (s *shard) await(a awaited) bool {
	p := s.plans[a.id]
	if p == nil || p.info.Waits != event.WaitsSuspend || s.busy || !s.mayWait(p, a.event) {
		a.then(s.Dispatch(s.Shard, a.id, a.event), nil)
		return true
	}
	w := s.newWalk()
	w.gen, w.ended = s.gen, false
	w.outcome = outcome{plan: p, event: a.info.Clone(a.event), walk: w}
	if w.step() {
		s.finish(w, a.then)
		return true
	}
	h := &held{by: w}
	if a.subject != nil {
		s.held[a.subject] = h
	}
	s.walks[w] = func() {
		// The handler that waited has returned, so none runs.
		busy := s.busy
		s.busy = false
		delete(s.walks, w)
		delete(s.held, a.subject)
		s.finish(w, a.then)
		s.letOn(a.subject, h)
		s.busy = busy
	}
	return false
}

// letOn lets the events go on that queued behind a subject's handler, up to the
// next one that waits.
func (s *shard) letOn(subject event.Kept, h *held) {
	for i, a := range h.queue {
		if now := s.held[subject]; now != nil {
			now.queue = append(h.queue[i:], now.queue...)
			return
		}
		if s.closed {
			a.then(event.Verdict{}, event.ErrCanceled)
			continue
		}
		s.await(a)
	}
}

// finish gives the stack its answer. No handler runs meanwhile.
func (s *shard) finish(w *walk, then func(event.Verdict, error)) {
	v, err := w.outcome.verdict, error(nil)
	if w.outcome.canceled {
		v, err = event.Verdict{}, event.ErrCanceled
	}
	w.outcome, w.gen = outcome{}, nil
	if len(s.spareWalks) < maxSpareWalks && !s.closed {
		s.spareWalks = append(s.spareWalks, w)
	} else {
		w.stop()
	}
	then(v, err)
}

func (s *shard) newWalk() *walk {
	if n := len(s.spareWalks); n > 0 {
		w := s.spareWalks[n-1]
		s.spareWalks = s.spareWalks[:n-1]
		return w
	}
	w := &walk{shard: s, enter: make(chan struct{}), leave: make(chan struct{})}
	go w.run()
	return w
}

// run is the walk's goroutine.
func (w *walk) run() {
	for range w.enter {
		w.shard.raiseAt(&w.outcome)
		w.ended = true
		w.leave <- struct{}{}
	}
	close(w.leave)
}

// step lets the walk go on until a handler waits or it came to its end, which it
// reports.
func (w *walk) step() bool {
	s := w.shard
	depth, payload, memo, busy := s.depth, s.payload, s.memo, s.busy
	s.depth, s.payload, s.memo, s.busy = w.depth, w.payload, w.memo, true
	w.enter <- struct{}{}
	<-w.leave
	w.depth, w.payload, w.memo = s.depth, s.payload, s.memo
	s.depth, s.payload, s.memo, s.busy = depth, payload, memo, busy
	return w.ended
}

// stop ends the goroutine of a walk that came to its end.
func (w *walk) stop() {
	close(w.enter)
	<-w.leave
}

// runWaiting calls a handler of a walk, which may wait, and returns when the
// handler returned.
func (s *shard) runWaiting(o *outcome, sc *script, fn FuncID, call *Call) (*Decision, error) {
	var d Decision
	var err error
	w, own, over, left := o.walk, *call, false, false
	waits := sc.instance.Start(fn, &own, func(decision Decision, failed error) {
		d, err, over = decision, failed, true
		if left && w.step() {
			s.walks[w]()
		}
	})
	if !over {
		s.drainBefore(o)
	}
	if !over && o.canceled {
		waits.Cancel(errCanceled)
	}
	if !over {
		left, w.waits = true, waits
		w.leave <- struct{}{}
		<-w.enter
		w.waits = nil
	}
	if errors.Is(err, errCanceled) {
		o.canceled, o.decided = true, true
		return nil, nil
	}
	return &d, err
}

// drainBefore delivers what a handler caused before it waits.
func (s *shard) drainBefore(o *outcome) {
	depth, payload := s.depth, s.payload
	s.drain(o)
	s.depth, s.payload = depth, payload
}

// CancelWaits implements [event.Awaiter].
func (s *shard) CancelWaits(_ *event.Shard, subject event.Kept) {
	if h := s.held[subject]; h != nil {
		s.Later(func() { s.cancelWalk(h.by) })
	}
}

// cancelWalk ends what a walk waits for, and so the walk.
func (s *shard) cancelWalk(w *walk) {
	if w.waits != nil {
		s.canceled++
		w.waits.Cancel(errCanceled)
	}
}
