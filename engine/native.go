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
