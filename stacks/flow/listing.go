package flow

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/fieldtest"
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

// Conns implements [flowev.Functions]: it lists the connections and flows that the filter takes, in the
// order of their numbers. The list holds flowev.Conn; those of other shards are given as [Distant]
// where shards are driven apart.
func (s *Stack) Conns(_ *event.Caller, which any) (list any, why string, hasWhy bool) {
	takes, err := compileFilter(which)
	if err != nil {
		return nil, "flow.conns: " + err.Error(), true
	}
	if s.common.apart {
		return s.listApart(takes)
	}
	found, looked, whole := listed(s.common.stacks, takes, maxLookedAt)
	return s.list(found, looked, whole)
}

// list returns what was found, and says so if it is not all.
func (s *Stack) list(found []flowev.Conn, looked int, whole bool) (list any, why string, hasWhy bool) {
	conns := make([]any, 0, min(len(found), maxListed))
	for _, c := range found[:min(len(found), maxListed)] {
		conns = append(conns, c)
	}
	switch {
	case len(found) > maxListed:
		why = fmt.Sprintf("flow.conns: %d connections listed, there are more", maxListed)
	case !whole:
		why = fmt.Sprintf("flow.conns: %d connections looked at, there are more", looked)
	default:
		return conns, "", false
	}
	s.stats.CutLists++
	return conns, why, true
}

// listApart lists the connections of stacks that are driven apart.
func (s *Stack) listApart(takes func(flowev.Conn) bool) (list any, why string, hasWhy bool) {
	var all []flowev.Conn
	looked, whole := 0, true
	for _, other := range s.common.stacks {
		var found []flowev.Conn
		n, end := 0, false
		look := func() {
			found, n, end = listed([]*Stack{other}, takes, maxLookedAt/len(s.common.stacks))
			for i, c := range found {
				if other != s {
					found[i] = s.distant(other, c)
				}
			}
		}
		s.sh.Look(other.sh, look)
		all, looked, whole = append(all, found...), looked+n, whole && end
	}
	slices.SortFunc(all, func(a, b flowev.Conn) int { return cmp.Compare(a.ID(), b.ID()) })
	return s.list(all, looked, whole)
}

// listed lists what takes says of the stacks' connections and exchanges, in the order of their numbers:
// one more than may be listed, and looking at most at so many. It tells at how many it looked, and
// whether that was all of them.
func listed(stacks []*Stack, takes func(flowev.Conn) bool, most int) (found []flowev.Conn, looked int, whole bool) {
	at := make([]listing, len(stacks))
	for i, s := range stacks {
		at[i] = listing{s.all.first, s.exch.all.first}
	}
	for ; ; looked++ {
		var first *listing
		for i := range at {
			if at[i].id() != 0 && (first == nil || at[i].id() < first.id()) {
				first = &at[i]
			}
		}
		if first == nil {
			return found, looked, true
		}
		if looked >= most {
			return found, looked, false
		}
		if c := first.next(); takes(c) {
			found = append(found, c)
			if len(found) > maxListed {
				return found, looked, false
			}
		}
	}
}

// listing is where a list of one stack's connections and exchanges stands.
type listing struct {
	c *Conn
	x *Exchange
}

// id returns the number of the next, 0 if there is none.
func (l *listing) id() uint64 {
	switch {
	case l.c != nil && (l.x == nil || l.c.id < l.x.id):
		return l.c.id
	case l.x != nil:
		return l.x.id
	}
	return 0
}

// next returns the next, of which there is one.
func (l *listing) next() (c flowev.Conn) {
	if l.c != nil && (l.x == nil || l.c.id < l.x.id) {
		c, l.c = l.c, l.c.age.next
	} else {
		c, l.x = l.x, l.x.age.next
	}
	return c
}

// connFields reads fields of connections as scripts write them.
var connFields = fieldtest.Reader{
	Family:   flowev.Family,
	Endpoint: func(dst *netip.AddrPort, value any) error { return setEnd(dst, value, false) },
	IP:       setIP,
}

// setIP stores an address as packets have it.
func setIP(dst *netip.Addr, value any) error {
	if err := plain.SetIP(dst, value); err != nil {
		return err
	}
	*dst = wireForm(*dst)
	return nil
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
		holds, err := connFields.Compile("flow.conn", which)
		if err != nil {
			return nil, err
		}
		return func(c flowev.Conn) bool { return holds(c) }, nil
	}
	return nil, fmt.Errorf("a pcap-filter expression or a table of fields expected, got %s", plain.Describe(which))
}
