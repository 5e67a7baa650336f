package engine

import (
	"errors"
	"fmt"

	"github.com/hookd/hookd/engine/event"
)

// Answer is what the native form of a function says about an event.
type Answer uint8

// The answers. Ask is the safe one: the function decides, and fails if it must.
const (
	Ask Answer = iota
	No
	Yes
)

// Native decides on an event, a pointer to its struct, what a function of a
// script would decide, without entering the script. It belongs to the shard that
// it was made for.
type Native func(e any) Answer

// NativeMaker makes the native form of a function for the events of info; nil
// where it has none. It makes a new one each time, so that a generation which is
// being staged shares nothing with the live one.
type NativeMaker func(info *event.Info) Native

// Make calls the maker; a nil one makes nil.
func (m NativeMaker) Make(info *event.Info) Native {
	if m == nil {
		return nil
	}
	return m(info)
}

// Deed is the native form of a whole handler for the events of one kind. It belongs to
// the shard that it was made for.
type Deed struct {
	// Do does with an event what the function would, and returns Yes with what that
	// decides, nil for nothing. It returns No where the function would return nothing
	// and do nothing, Ask where it has to be called: then nothing was done.
	Do func(e any) (Answer, *Decision)
	// Foresee returns what compares what Do would do now with what the function, called
	// next, did; nil where Do would ask.
	Foresee func(e any) func(decided *Decision) error
	// Decides: there are events on which Do decides something.
	Decides bool
}

// DeedMaker is [NativeMaker] for whole handlers.
type DeedMaker func(info *event.Info) *Deed

// Make calls the maker; a nil one makes nil.
func (m DeedMaker) Make(info *event.Info) *Deed {
	if m == nil {
		return nil
	}
	return m(info)
}

// do does what a rule's function would do, if that has a native form, for an event that
// was counted as matched. One of [SampleEvery] is measured, as of calls.
func (s *shard) do(en *entry, e any) (Answer, *Decision) {
	if en.deed == nil || s.engine.cfg.CheckNative {
		return Ask, nil
	}
	st := en.rule.state
	if clock := s.engine.cfg.ThreadCPU; clock != nil && st.Matched%SampleEvery == 1 {
		return s.timedDeed(en, e)
	}
	answer, d := en.deed.Do(e)
	if answer == Yes {
		st.Calls++
	}
	return answer, d
}

// timedDeed is do with the time that it takes.
func (s *shard) timedDeed(en *entry, e any) (answer Answer, d *Decision) {
	st := en.rule.state
	took := s.measure(func() { answer, d = en.deed.Do(e) })
	if answer == Yes {
		st.Calls++
		st.CPU.note(took)
	}
	return answer, d
}

// both is where [Config.CheckNative] calls a handler and finds a native form that would
// have done something else.
func (s *shard) both(en *entry, call *Call) (*Decision, error) {
	en.rule.state.Calls++
	same := en.deed.Foresee(call.Event)
	d, err := en.rule.script.instance.Run(en.rule.run, call)
	if err == nil && same != nil {
		err = same(d)
	}
	return d, err
}

// native asks a native form, which may be nil. Where functions are called to be
// compared with it, it is not relied on.
func (s *shard) native(n Native, e any) Answer {
	if n == nil || s.engine.cfg.CheckNative {
		return Ask
	}
	return n(e)
}

// compare is where [Config.CheckNative] finds a native form that says something
// else than its function said.
func (s *shard) compare(n Native, e any, what string, said bool) error {
	if n == nil || !s.engine.cfg.CheckNative {
		return nil
	}
	answer := n(e)
	if answer == Ask || (answer == Yes) == said {
		return nil
	}
	return fmt.Errorf("the native form of %s says %t, the function %t", what, answer == Yes, said)
}

// compareGuard is compare for a handler: one that decided was not to be turned
// away.
func (s *shard) compareGuard(n Native, e any, decided bool) error {
	if n == nil || !s.engine.cfg.CheckNative || !decided || n(e) != No {
		return nil
	}
	return errGuard
}

var errGuard = errors.New("the native form of a guard says no, the handler decided")
