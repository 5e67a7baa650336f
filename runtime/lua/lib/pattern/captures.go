package pattern

// Span is a captured part of a subject, in byte offsets from 0.
type Span struct {
	Start int
	End   int // one behind the last byte; -1 for a position capture
}

// IsPosition reports whether the span is a position capture, that is "()" in
// the pattern: Lua sees it as the number Start+1.
func (s Span) IsPosition() bool { return s.End < 0 }

// Captures holds the result of a match and the working memory of the next.
// The zero value is ready; one that is used again makes matching free of
// allocations. It keeps nothing of the subject.
type Captures struct {
	Start int // of the whole match, valid after a match
	End   int

	kinds  []slotKind
	slots  [MaxCaptures]Span
	frames []frame // one for each repetition that can still change its mind
	depth  int
	left   int // steps until the budget is asked again
	budget Budget
}

// frame is a repetition that can still give back (greedy) or take on (lazy).
type frame struct {
	pc   int
	low  int // greedy: the least position to fall back to
	here int // the position behind the bytes taken now
}

// Len returns the number of captures of the last match, not counting the
// whole match.
func (c *Captures) Len() int { return len(c.kinds) }

// Capture returns capture i, counted from 0. Without any capture in the
// pattern, capture 0 is the whole match. The errors are [ErrCaptureIndex] and
// [ErrUnfinished].
func (c *Captures) Capture(i int) (Span, error) {
	if i >= len(c.kinds) {
		if i == 0 {
			return Span{Start: c.Start, End: c.End}, nil
		}
		return Span{}, ErrCaptureIndex
	}
	if c.kinds[i] == slotUnfinished {
		return Span{}, ErrUnfinished
	}
	return c.slots[i], nil
}

// Budget is told how much work a match does, and may stop it.
type Budget interface {
	// Spend takes n steps, each of the order of a nanosecond. It is called
	// about every 1024 steps and once at the end of each match. An error ends
	// the match and is what Find returns.
	Spend(n int) error
}

// Countdown is a [Budget] of a number of steps.
type Countdown int

// Spend takes n steps off, and returns [ErrBudget] when there are not as many.
func (c *Countdown) Spend(n int) error {
	*c -= Countdown(n)
	if *c < 0 {
		return ErrBudget
	}
	return nil
}
