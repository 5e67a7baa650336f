package engine

import (
	"errors"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/fiber"
)

// awaited is an event that was raised for handlers that may wait.
type awaited struct {
	id      event.PointID
	info    *event.Info
	event   any
	subject event.Kept // who waits with it, nil for nobody
	then    func(event.Verdict, error)
}

// held is a subject a handler of which waits, with the events that queue behind.
type held struct {
	by    *walk
	queue []awaited
}

// walk is the way of one event through the rules of its point. Where a handler waits,
// the walk is left, with all that the engine was about to do, and goes on there. Where
// that was a rule's turn it is no more than its place; among events that a handler
// raised on its own event, and that were being delivered, it keeps a goroutine.
type walk struct {
	shard   *shard
	outcome outcome
	gen     *Generation
	fiber   *fiber.Fiber // where the walk runs, or keeps its place
	waits   Suspended    // what the handler that runs waits for
	begun   bool
	ended   bool
	plain   bool // nothing is asked but the rules of the point itself
	always  bool // the turn is that of the rules which always run
	at      progress
	inside  int // how many raised events are being delivered
	// turns is the rule's run that waits, if the walk has no goroutine.
	turns *ruleRun
	// What the shard had in hand when the walk was left.
	depth   int
	payload any
	memo    []Answer
}

// ruleRun is the run of a rule, or of the handler that b binds, which may wait.
type ruleRun struct {
	en       *entry
	b        *binding
	decision Decision
	err      error
	over     bool // what it came to is known
	left     bool // the walk is
}

// maxSpareWalks is how many walks are kept for the next event.
const maxSpareWalks = 4

// errCanceled ends a handler whose subject or engine ended.
var errCanceled = errors.New("engine: canceled")

// Await implements [event.Awaiter].
func (s *shard) Await(_ *event.Shard, id event.PointID, e any, who event.Kept, then func(event.Verdict, error)) {
	a := awaited{id: id, info: s.engine.points[id], event: e, subject: who, then: then}
	if f := a.info.Subject(); f != nil && who == nil {
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
	w.gen = s.gen
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
	if len(s.spareWalks) < maxSpareWalks {
		*w = walk{shard: s, memo: w.memo[:0]}
		s.spareWalks = append(s.spareWalks, w)
	}
	then(v, err)
}

func (s *shard) newWalk() *walk {
	if n := len(s.spareWalks); n > 0 {
		w := s.spareWalks[n-1]
		s.spareWalks = s.spareWalks[:n-1]
		return w
	}
	return &walk{shard: s}
}

// Run implements [fiber.Work]: it goes on with the walk until a rule waits whose turn
// it is, or to its end.
func (w *walk) Run() {
	s, o := w.shard, &w.outcome
	if !w.begun {
		w.begun = true
		w.plain = s.open(o)
		w.at.bound = o.bound
	}
	if r := w.turns; r != nil {
		w.turns, o.left = nil, false
		s.ran(o, r)
	}
	w.ended = w.on()
}

// on asks the rules whose turn is to come, and reports whether none is left.
func (w *walk) on() bool {
	s, o := w.shard, &w.outcome
	root := &o.plan.root
	if !w.always {
		if s.walk(o, root, &w.at); o.left {
			return false
		}
		s.drain(o)
		w.always, w.at = true, progress{}
	}
	if s.walkAlways(o, root, &w.at); o.left {
		return false
	}
	s.drain(o)
	if !w.plain {
		s.end(o)
	}
	return true
}

// step lets the walk go on until a handler waits or it came to its end, which it
// reports.
func (w *walk) step() bool {
	s := w.shard
	depth, payload, memo, busy := s.depth, s.payload, s.memo, s.busy
	s.depth, s.payload, s.memo, s.busy = w.depth, w.payload, w.memo, true
	if w.fiber == nil {
		w.fiber = s.fibers.Take(w)
	}
	if !w.fiber.Enter() {
		s.fibers.Put(w.fiber)
		w.fiber = nil
	}
	w.depth, w.payload, w.memo = s.depth, s.payload, s.memo
	s.depth, s.payload, s.memo, s.busy = depth, payload, memo, busy
	return w.ended
}

// runWaiting calls the handler of a rule on a walk, which may wait. It returns nil
// where it does, and the walk is to be left.
func (s *shard) runWaiting(o *outcome, en *entry, b *binding, call *Call) *ruleRun {
	w, own := o.walk, *call
	r := &ruleRun{en: en, b: b}
	waits := en.rule.script.instance.Start(en.rule.run, &own, func(d Decision, err error) {
		r.decision, r.err, r.over = d, err, true
		if r.left && w.step() {
			s.walks[w]()
		}
	})
	if !r.over {
		s.drainBefore(o)
	}
	if !r.over && o.canceled {
		waits.Cancel(errCanceled)
	}
	if r.over {
		return r
	}
	r.left, w.waits = true, waits
	if w.inside == 0 {
		w.turns, o.left = r, true
		return nil
	}
	w.fiber.Leave()
	return r
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
