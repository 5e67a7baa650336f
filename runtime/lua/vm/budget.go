package vm

import (
	"context"
	"fmt"
	"time"

	glua "github.com/yuin/gopher-lua"
)

const (
	// stepsPerInstruction is how many steps of a library function, of the order
	// of a nanosecond each, count as one instruction.
	stepsPerInstruction = 6
	// slice is how many instructions run between two looks at the clock, where
	// a call has a time limit at all.
	slice = 10_000
)

// budget counts the instructions of a call down. It is a [context.Context] whose
// Done gopher-lua asks for before every instruction: while the call may go on
// there is no channel to wait for, afterwards there is a closed one. Nothing is
// allocated per call, and an error that is caught does not help: the next
// instruction fails again.
type budget struct {
	left  int // of the running slice
	more  int // behind it
	steps int // of library functions, below one instruction
	limit int
	what  string // who has the budget: "handler"
	until time.Time
	allot time.Duration
	over  chan struct{}
	cause error // of an end that is none of the budget's
	// pause, while a task runs that does so in slices of size slice, leaves it between
	// two of them; it is nil whenever a call starts.
	pause func() error
	slice int
	// enters is a thread that goes on: with its next instruction it is inside outer, and
	// held instructions are left.
	enters, outer *glua.LState
	held          int
}

var _ context.Context = (*budget)(nil)

func newBudget() budget {
	b := budget{over: make(chan struct{})}
	close(b.over)
	return b
}

// reset starts a call of n instructions.
func (b *budget) reset(n int, what string) {
	b.left, b.more, b.limit, b.what, b.allot, b.cause = n, 0, n, what, 0, nil
	b.enters = nil
}

// enter has extend be asked at the next instruction, which is the first of a thread
// that goes on. Who resumes a thread of gopher-lua becomes what is outside of it,
// and nothing else of ours is called before its code runs.
func (b *budget) enter(th, outer *glua.LState) {
	b.enters, b.outer = th, outer
	b.held, b.left = b.left, 0
}

// kill lets no further instruction run: each raises cause.
func (b *budget) kill(cause error) { b.left, b.more, b.cause = -1, 0, cause }

// resetWithin starts a call of n instructions that may also take no longer
// than d.
func (b *budget) resetWithin(n int, what string, d time.Duration) {
	b.reset(n, what)
	b.left = min(n, slice)
	b.more, b.allot, b.until = n-b.left, d, time.Now().Add(d)
}

// resetSliced starts a call of n instructions that pauses after each slice of
// them.
func (b *budget) resetSliced(n, slice int, what string, pause func() error) {
	b.reset(n, what)
	b.left = min(n, slice)
	b.more, b.slice, b.pause = n-b.left, slice, pause
}

// Done implements [context.Context] and counts one instruction.
func (b *budget) Done() <-chan struct{} {
	b.left--
	if b.left >= 0 || b.extend() {
		return nil
	}
	return b.over
}

// extend opens the next slice and reports whether there is one.
func (b *budget) extend() bool {
	if b.enters != nil {
		b.enters.Parent, b.enters, b.outer = b.outer, nil, nil
		if b.left += b.held; b.left >= 0 {
			return true
		}
	}
	if b.more <= 0 || b.cause != nil || b.late() {
		return false
	}
	size := slice
	if b.pause != nil {
		if err := b.pause(); err != nil {
			b.kill(err)
			return false
		}
		size = b.slice
	}
	n := min(b.more, size)
	b.left += n
	b.more -= n
	return b.left >= 0 || b.extend()
}

func (b *budget) late() bool { return b.allot > 0 && time.Now().After(b.until) }

// Err implements [context.Context]. gopher-lua raises its text.
func (b *budget) Err() error {
	if b.left >= 0 {
		return nil
	}
	if b.cause != nil {
		return b.cause
	}
	if b.more > 0 && b.allot > 0 {
		return overrunError{what: b.what, allot: b.allot}
	}
	return overrunError{what: b.what, limit: b.limit}
}

// Deadline implements [context.Context].
func (b *budget) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value implements [context.Context].
func (b *budget) Value(any) any { return nil }

// spent reports whether no further instruction may run.
func (b *budget) spent() bool { return b.left < 0 }

// overrun reports whether that is because the budget is used up.
func (b *budget) overrun() bool { return b.left < 0 && b.cause == nil }

// spend counts n steps of a library function.
func (b *budget) spend(n int) error {
	b.steps += n
	b.left -= b.steps / stepsPerInstruction
	b.steps %= stepsPerInstruction
	if b.left >= 0 || b.extend() {
		return nil
	}
	return b.Err()
}

// overrunError is what a call fails with that used up its budget.
type overrunError struct {
	what  string
	limit int
	allot time.Duration
}

// Error returns the message that authors see.
func (e overrunError) Error() string {
	if e.allot > 0 {
		return fmt.Sprintf("%s took longer than %s", e.what, e.allot)
	}
	return fmt.Sprintf("%s went over its budget of %d instructions", e.what, e.limit)
}
