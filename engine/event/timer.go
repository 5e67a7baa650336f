package event

// Timer is one deadline of a shard's queue. Its zero value is stopped; embed it
// in what it belongs to, so that arming allocates nothing.
type Timer struct {
	when  int64
	seq   uint64
	place int // index in the heap + 1; 0 while stopped
	run   func(now int64)
}

// Armed reports whether the timer waits in a queue.
func (t *Timer) Armed() bool { return t.place != 0 }

// When returns the deadline in nanoseconds of event time; meaningful while Armed.
func (t *Timer) When() int64 { return t.when }

// fire calls the timer's function at event time now.
func (t *Timer) fire(now int64) { t.run(now) }

// Timers is a queue of deadlines in event time: a binary heap ordered by
// deadline, and among equal deadlines by the order of arming, so that replaying
// the same input runs timers in the same order. It belongs to its shard's
// goroutine.
type Timers struct {
	heap []*Timer
	seq  uint64
}

// Len returns how many timers are armed.
func (q *Timers) Len() int { return len(q.heap) }

// Next returns the earliest deadline, and false if no timer is armed.
func (q *Timers) Next() (when int64, ok bool) {
	if len(q.heap) == 0 {
		return 0, false
	}
	return q.heap[0].when, true
}

// Arm sets t to call run at the given time in nanoseconds of event time. A
// timer that is armed already is moved. A deadline in the past runs at the next
// [Shard.Advance].
func (q *Timers) Arm(t *Timer, when int64, run func(now int64)) {
	q.seq++
	t.when, t.seq, t.run = when, q.seq, run
	if t.place == 0 {
		q.heap = append(q.heap, t)
		t.place = len(q.heap)
		q.up(t.place - 1)
		return
	}
	if i := t.place - 1; !q.up(i) {
		q.down(i)
	}
}

// Stop takes t out of the queue and reports whether it was in it.
func (q *Timers) Stop(t *Timer) bool {
	if t.place == 0 {
		return false
	}
	q.remove(t.place - 1)
	return true
}

// next removes and returns the earliest timer due at or before ts, or nil.
func (q *Timers) next(ts int64) *Timer {
	if len(q.heap) == 0 || q.heap[0].when > ts {
		return nil
	}
	t := q.heap[0]
	q.remove(0)
	return t
}

func (q *Timers) remove(i int) {
	t, last := q.heap[i], len(q.heap)-1
	if i != last {
		q.swap(i, last)
	}
	q.heap[last] = nil
	q.heap = q.heap[:last]
	t.place = 0
	if i != last && !q.up(i) {
		q.down(i)
	}
}

func (q *Timers) less(i, j int) bool {
	a, b := q.heap[i], q.heap[j]
	return a.when < b.when || a.when == b.when && a.seq < b.seq
}

func (q *Timers) swap(i, j int) {
	h := q.heap
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i+1, j+1
}

func (q *Timers) up(i int) bool {
	moved := false
	for i > 0 {
		parent := (i - 1) / 2
		if !q.less(i, parent) {
			break
		}
		q.swap(i, parent)
		i, moved = parent, true
	}
	return moved
}

func (q *Timers) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(q.heap) {
			return
		}
		if right := child + 1; right < len(q.heap) && q.less(right, child) {
			child = right
		}
		if !q.less(child, i) {
			return
		}
		q.swap(i, child)
		i = child
	}
}
