package flow

import (
	"fmt"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/engine/event/plain"
	"github.com/hookd/hookd/stacks/flow/filter"
)

// Limits of one call of flow.conns: how many connections it lists, and how many it looks at. Looking at
// all takes some milliseconds in which nothing else runs.
const (
	maxListed   = 1000
	maxLookedAt = 100_000
)

// Conns implements [flowev.Functions]: it lists this stack's connections and flows that the filter
// takes, in the order of their numbers. The list holds flowev.Conn.
func (s *Stack) Conns(_ *event.Caller, which any) (list any, why string, hasWhy bool) {
	takes, err := compileFilter(which)
	if err != nil {
		return nil, "flow.conns: " + err.Error(), true
	}
	found := []any{}
	looked := 0
	for c, x := s.all.first, s.exch.all.first; c != nil || x != nil; looked++ {
		if looked == maxLookedAt {
			s.stats.CutLists++
			return found, fmt.Sprintf("flow.conns: %d connections looked at, there are more", looked), true
		}
		var next flowev.Conn
		if c != nil && (x == nil || c.id < x.id) {
			next, c = c, c.age.next
		} else {
			next, x = x, x.age.next
		}
		if !takes(next) {
			continue
		}
		if len(found) == maxListed {
			s.stats.CutLists++
			return found, fmt.Sprintf("flow.conns: %d connections listed, there are more", maxListed), true
		}
		found = append(found, next)
	}
	return found, "", false
}

// compileFilter reads the argument of flow.conns.
func compileFilter(which any) (func(flowev.Conn) bool, error) {
	switch which := which.(type) {
	case nil:
		return func(flowev.Conn) bool { return true }, nil
	case string:
		parsed, err := filter.Parse(which)
		if err != nil {
			return nil, err
		}
		scope, err := parsed.Scope()
		if err != nil {
			return nil, err
		}
		return func(c flowev.Conn) bool { return inScope(scope, c) }, nil
	case []event.KV:
		tests, err := compileFields(objectNamed("flow.conn"), nil, which, nil)
		if err != nil {
			return nil, err
		}
		return func(c flowev.Conn) bool {
			for i := range tests {
				if !tests[i].holds(c) {
					return false
				}
			}
			return true
		}, nil
	}
	return nil, fmt.Errorf("a pcap-filter expression or a table of fields expected, got %s", plain.Describe(which))
}
