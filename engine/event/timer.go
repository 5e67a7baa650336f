package event

// Timer is one deadline of a shard's queue. Its zero value is stopped; embed it
// in what it belongs to, so that arming allocates nothing.
type Timer struct {
	when  int64
	seq   uint64 // its place among equal deadlines
	place int    // index in the heap + 1; 0 while stopped
	run   func(now int64)
}

// Armed reports whether the timer waits in a queue.
func (t *Timer) Armed() bool { return t.place != 0 }

// When returns the deadline in nanoseconds of event time; meaningful while Armed.
func (t *Timer) When() int64 { return t.when }

// Covers reports whether a deadline, and its place among equal ones, comes no
// later than those which t was armed with last by [Timers.ArmAt].
func (t *Timer) Covers(when int64, place uint64) bool {
	return when < t.when || when == t.when && place <= t.seq
}

// fire calls the timer's function at event time now.
func (t *Timer) fire(now int64) { t.run(now) }

// Timers is a queue of deadlines in event time: a binary heap ordered by
// deadline, and among equal deadlines by the order of arming, so that replaying
// the same input runs timers in the same order. It belongs to its shard's
// goroutine.
type Timers struct {
	heap   []*Timer
	seq    uint64
	common *uint64 // takes the place of seq for shards that are driven together
}

// armed marks the place among equal deadlines of a timer that was given none:
// behind all that were.
const armed = 1 << 63

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
	seq := &q.seq
	if q.common != nil {
		seq = q.common
	}
	*seq++
	q.ArmAt(t, when, *seq|armed, run)
}

// ArmAt is [Timers.Arm] with t's place among timers of the same deadline, below
// 1<<63: the lowest runs first, before all that were given no place. So the order
// does not depend on when, and in which shard, timers were armed.
func (q *Timers) ArmAt(t *Timer, when int64, place uint64, run func(now int64)) {
	t.when, t.seq, t.run = when, place, run
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

// due reports whether a timer is due at or before ts.
func (q *Timers) due(ts int64) bool { return len(q.heap) != 0 && q.heap[0].when <= ts }

// earlier reports whether the first timer of q runs before that of o; both have
// one.
func (q *Timers) earlier(o *Timers) bool { return q.heap[0].before(o.heap[0]) }

func (t *Timer) before(o *Timer) bool {
	return t.when < o.when || t.when == o.when && t.seq < o.seq
}

// next removes and returns the earliest timer due at or before ts, or nil.
func (q *Timers) next(ts int64) *Timer {
	if !q.due(ts) {
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

func (q *Timers) less(i, j int) bool { return q.heap[i].before(q.heap[j]) }

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
