package flow

import (
	"fmt"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
)

// Functions are the bodies of what scripts call of this family, where a process has a stack a shard:
// each call goes to the stack of the shard that it comes from. The number of shards is fixed.
//
//	fns := flow.NewFunctions(shards)            // given to the runtime, which binds them
//	fns.Install(flow.New(shard, flow.Config{})) // for each shard, having entered it
type Functions struct{ stacks []*Stack }

var (
	_ flowev.Functions = (*Functions)(nil)
	_ flowev.Functions = (*Stack)(nil)
)

// NewFunctions returns the functions of a process of so many shards, none of which has a stack.
func NewFunctions(shards int) *Functions { return &Functions{stacks: make([]*Stack, shards)} }

// Install makes s the stack of its shard, which the caller has entered, in place of one that may have
// been there. It panics if the shard's number is beyond those of NewFunctions.
func (f *Functions) Install(s *Stack) { f.stacks[s.sh.Index()] = s }

// stack returns the stack of the caller's shard, or why there is none.
func (f *Functions) stack(c *event.Caller, name string) (s *Stack, why string) {
	if i := c.Shard.Index(); i < len(f.stacks) && f.stacks[i] != nil {
		return f.stacks[i], ""
	}
	return nil, fmt.Sprintf("%s: no packets come in here", name)
}

// Find implements [flowev.Functions].
func (f *Functions) Find(c *event.Caller, tuple any) (conn flowev.Conn, why string, hasWhy bool) {
	s, why := f.stack(c, "flow.find")
	if s == nil {
		return nil, why, true
	}
	return s.Find(c, tuple)
}

// Conns implements [flowev.Functions].
func (f *Functions) Conns(c *event.Caller, filter any) (list any, why string, hasWhy bool) {
	s, why := f.stack(c, "flow.conns")
	if s == nil {
		return nil, why, true
	}
	return s.Conns(c, filter)
}
