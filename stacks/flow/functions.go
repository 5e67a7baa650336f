package flow

import (
	"errors"
	"sync"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
)

// Functions are the bodies of what scripts call of this family. A stack has them itself; where a
// process has a stack a shard, each call goes to the stack of the shard that it comes from:
//
//	fns := flow.NewFunctions() // given to the runtime, which binds them
//	fns.Install(stack)         // for each stack, before packets come
//
// Any goroutine may install and remove stacks; calls come from the shard's own.
type Functions struct {
	stacks sync.Map // *event.Shard to its *Stack
}

var (
	_ flowev.Functions = (*Functions)(nil)
	_ flowev.Functions = (*Stack)(nil)
)

// NewFunctions returns functions that know no stack.
func NewFunctions() *Functions { return &Functions{} }

// Install makes s the stack of its shard, in place of one that may have been there.
func (f *Functions) Install(s *Stack) { f.stacks.Store(s.sh, s) }

// Remove forgets s, if it is still the stack of its shard.
func (f *Functions) Remove(s *Stack) { f.stacks.CompareAndDelete(s.sh, s) }

// noStack is what calls are told where no packets come in: in checks, for one.
const noStack = ": no packets come in here"

// Find implements [flowev.Functions].
func (f *Functions) Find(c *event.Caller, tuple any) (conn flowev.Conn, why string, hasWhy bool) {
	if s, ok := f.stacks.Load(c.Shard); ok {
		return s.(*Stack).Find(c, tuple)
	}
	return nil, "flow.find" + noStack, true
}

// Conns implements [flowev.Functions].
func (f *Functions) Conns(c *event.Caller, filter any) (list any, why string, hasWhy bool) {
	if s, ok := f.stacks.Load(c.Shard); ok {
		return s.(*Stack).Conns(c, filter)
	}
	return nil, "flow.conns" + noStack, true
}

// Block implements [flowev.Functions].
func (f *Functions) Block(c *event.Caller, what any, ttl time.Duration, hasTTL bool, reason string) error {
	if s, ok := f.stacks.Load(c.Shard); ok {
		return s.(*Stack).Block(c, what, ttl, hasTTL, reason)
	}
	return errors.New("flow.block" + noStack)
}

// Unblock implements [flowev.Functions].
func (f *Functions) Unblock(c *event.Caller, what any) error {
	if s, ok := f.stacks.Load(c.Shard); ok {
		return s.(*Stack).Unblock(c, what)
	}
	return errors.New("flow.unblock" + noStack)
}

// Blocks implements [flowev.Functions].
func (f *Functions) Blocks(c *event.Caller) (list any, total uint64) {
	if s, ok := f.stacks.Load(c.Shard); ok {
		return s.(*Stack).Blocks(c)
	}
	return []any{}, 0
}

// Send implements [flowev.Functions].
func (f *Functions) Send(c *event.Caller, what any) error {
	if s, ok := f.stacks.Load(c.Shard); ok {
		return s.(*Stack).Send(c, what)
	}
	return errors.New("flow.send" + noStack)
}
