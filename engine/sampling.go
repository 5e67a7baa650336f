package engine

import "time"

// CallTimes is how long calls of a rule's functions took, as far as it was
// measured: native parts, and calls that may wait, are not. The zero value has
// measured nothing.
type CallTimes struct {
	// Calls counts all calls while some were measured, Measured those.
	Calls, Measured uint64
	// Took is what the measured ones took together.
	Took time.Duration
	// Buckets count them by time: bucket i those up to CallBounds[i] and longer
	// than the bound before, the last one the rest.
	Buckets [len(callBounds) + 1]uint64
}

var callBounds = [...]time.Duration{
	time.Microsecond, 4 * time.Microsecond, 16 * time.Microsecond, 64 * time.Microsecond,
	256 * time.Microsecond, time.Millisecond, 4 * time.Millisecond,
}

// CallBounds returns the upper bounds of the buckets of [CallTimes].
func CallBounds() []time.Duration { return callBounds[:] }

// Time estimates what all calls took.
func (t *CallTimes) Time() time.Duration {
	if t.Measured == 0 {
		return 0
	}
	return time.Duration(float64(t.Took) / float64(t.Measured) * float64(t.Calls))
}

func (t *CallTimes) add(o *CallTimes) {
	t.Calls += o.Calls
	t.Measured += o.Measured
	t.Took += o.Took
	for i, n := range o.Buckets {
		t.Buckets[i] += n
	}
}

// since counts a call that began then, if it is measured.
func (t *CallTimes) since(began time.Time) {
	if began.IsZero() {
		return
	}
	took := time.Since(began)
	t.Measured++
	t.Took += took
	for i, bound := range callBounds {
		if took <= bound {
			t.Buckets[i]++
			return
		}
	}
	t.Buckets[len(callBounds)]++
}

// sampler says which calls are measured: one in every, none where that is 0.
type sampler struct{ every, left uint32 }

// Measure has one in so many calls of rules' functions measured from now on; 0
// ends it, and then nothing is spent on it. It costs two looks at a clock for
// each call that is measured.
func (e *Engine) Measure(every uint32) {
	for _, s := range e.shards {
		s.Enter()
		s.sampler = sampler{every: every}
		s.Leave()
	}
}

// runMeasured calls a rule's function while calls are measured.
func (s *shard) runMeasured(r *rule, call *Call) (*Decision, error) {
	began := s.clock(r.state)
	d, err := r.script.instance.Run(r.run, call)
	r.state.since(began)
	return d, err
}

// clock begins a call of a rule's function, and says when if it is to be
// measured; zero if not.
func (s *shard) clock(st *ruleState) time.Time {
	if s.every == 0 {
		return time.Time{}
	}
	st.Calls++
	if s.left > 0 {
		s.left--
		return time.Time{}
	}
	s.left = s.every - 1
	return time.Now()
}
