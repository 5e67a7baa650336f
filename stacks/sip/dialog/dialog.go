// Package dialog knows which calls there are: from the INVITE over the answer to the
// BYE of either side, by Call-ID and tags, and how many of them a word such as a user's
// name stands for.
//
// A [Table] belongs to one goroutine at a time. It has no clock: whoever has one says
// what time it is, and calls [Table.Expire] when [Table.Next] has come.
package dialog

import (
	"cmp"
	"container/heap"
	"errors"
	"slices"
	"time"
)

// End says how a call ended.
type End uint8

// How calls end.
const (
	Failed   End = iota // it was never answered
	Canceled            // the caller gave up before
	ByCaller
	ByCallee
	Lapsed // nobody was heard of for too long
)

// Limits bound a table.
type Limits struct {
	Calls    int
	Profiles int // words of one call
}

// DefaultLimits returns what holds where nothing else is said.
func DefaultLimits() Limits { return Limits{Calls: 100_000, Profiles: 8} }

// Why a call is not followed.
var (
	ErrFull     = errors.New("too many calls")
	ErrProfiles = errors.New("too many profiles")
)

// Call is one that is followed, or that has ended.
type Call struct {
	ID             uint64 // number of its transaction
	CallID         string
	FromTag, ToTag string // the latter once it is answered
	From, To, URI  string // as the INVITE had them
	Source         string
	Profiles       []string
	Data           any
	Began          int64 // times: nanoseconds
	Answered       int64 // 0: not yet
	Ended          int64
	Code           int // final status of the INVITE
	How            End

	lapses int64
	place  int
}

// Stats counts what a table did and refused.
type Stats struct {
	Calls    int    // that are followed
	Tracked  uint64 // that were
	Answered uint64
	Lapsed   uint64
	Refused  uint64 // not followed, since there were too many
}

// Table is the calls that exist.
type Table struct {
	lim    Limits
	byTx   map[uint64]*Call   // not answered yet
	byID   map[string][]*Call // answered, by Call-ID
	counts map[string]int     // by profile
	ends   byEnd
	stats  Stats
}

// New returns an empty table.
func New(lim Limits) *Table {
	return &Table{lim: lim, byTx: map[uint64]*Call{}, byID: map[string][]*Call{}, counts: map[string]int{}}
}

// Stats returns what was counted so far.
func (t *Table) Stats() Stats {
	t.stats.Calls = len(t.ends)
	return t.stats
}

// Track begins to follow a call, for at most a time. What is said of one that is followed
// already is added to it.
func (t *Table) Track(c *Call, life time.Duration) error {
	if known := t.byTx[c.ID]; known != nil {
		return t.add(known, c, life)
	}
	switch {
	case len(t.ends) >= t.lim.Calls:
		t.stats.Refused++
		return ErrFull
	case len(c.Profiles) > t.lim.Profiles:
		return ErrProfiles
	}
	t.stats.Tracked++
	c.lapses = c.Began + int64(life)
	t.byTx[c.ID] = c
	heap.Push(&t.ends, c)
	for _, p := range c.Profiles {
		t.counts[p]++
	}
	return nil
}

// add takes what another says of a call: its profiles, its data if there are none, the
// shorter time.
func (t *Table) add(known, c *Call, life time.Duration) error {
	if len(known.Profiles)+len(c.Profiles) > t.lim.Profiles {
		return ErrProfiles
	}
	for _, p := range c.Profiles {
		if !slices.Contains(known.Profiles, p) {
			known.Profiles = append(known.Profiles, p)
			t.counts[p]++
		}
	}
	if known.Data == nil {
		known.Data = c.Data
	}
	known.lapses = min(known.lapses, c.Began+int64(life))
	heap.Fix(&t.ends, known.place)
	return nil
}

// Count returns how many calls have a profile.
func (t *Table) Count(profile string) int { return t.counts[profile] }

// List returns the calls of a profile, or all for an empty one, in the order in which
// they began, at most so many. They are lent.
func (t *Table) List(profile string, limit int) []*Call {
	var list []*Call
	for _, c := range t.ends {
		if profile == "" || slices.Contains(c.Profiles, profile) {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b *Call) int { return cmp.Or(cmp.Compare(a.Began, b.Began), cmp.Compare(a.ID, b.ID)) })
	return list[:min(limit, len(list))]
}

// Final notes the final reply of a call's INVITE. It returns the call, and whether it
// ended by that; nil where none is followed that waits for one.
func (t *Table) Final(tx uint64, code int, toTag string, canceled bool, now int64) (c *Call, ended bool) {
	if c = t.byTx[tx]; c == nil {
		return nil, false
	}
	delete(t.byTx, tx)
	c.Code = code
	if code >= 200 && code < 300 {
		t.stats.Answered++
		c.ToTag, c.Answered = toTag, now
		t.byID[c.CallID] = append(t.byID[c.CallID], c)
		return c, false
	}
	how := Failed
	if canceled {
		how = Canceled
	}
	t.end(c, how, now)
	return c, true
}

// Bye ends the call that a BYE belongs to, and returns it; nil where none is.
func (t *Table) Bye(callID, fromTag, toTag string, now int64) *Call {
	for _, c := range t.byID[callID] {
		switch {
		case c.FromTag == fromTag && c.ToTag == toTag:
			t.end(c, ByCaller, now)
			return c
		case c.FromTag == toTag && c.ToTag == fromTag:
			t.end(c, ByCallee, now)
			return c
		}
	}
	return nil
}

// end takes a call out.
func (t *Table) end(c *Call, how End, now int64) {
	c.Ended, c.How = now, how
	heap.Remove(&t.ends, c.place)
	delete(t.byTx, c.ID)
	list := slices.DeleteFunc(t.byID[c.CallID], func(o *Call) bool { return o == c })
	if len(list) == 0 {
		delete(t.byID, c.CallID)
	} else {
		t.byID[c.CallID] = list
	}
	for _, p := range c.Profiles {
		if t.counts[p]--; t.counts[p] == 0 {
			delete(t.counts, p)
		}
	}
}

// Next returns when the next call lapses; false if there is none.
func (t *Table) Next() (int64, bool) {
	if len(t.ends) == 0 {
		return 0, false
	}
	return t.ends[0].lapses, true
}

// Expire ends the calls that lapse, and returns them.
func (t *Table) Expire(now int64) []*Call {
	var list []*Call
	for len(t.ends) != 0 && t.ends[0].lapses <= now {
		c := t.ends[0]
		t.stats.Lapsed++
		t.end(c, Lapsed, now)
		list = append(list, c)
	}
	return list
}

// byEnd is a heap of calls, the next to lapse first.
type byEnd []*Call

// Len implements [heap.Interface].
func (h byEnd) Len() int { return len(h) }

// Less implements [heap.Interface].
func (h byEnd) Less(i, j int) bool { return h[i].lapses < h[j].lapses }

// Swap implements [heap.Interface].
func (h byEnd) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push implements [heap.Interface].
func (h *byEnd) Push(x any) {
	c := x.(*Call)
	c.place = len(*h)
	*h = append(*h, c)
}

// Pop implements [heap.Interface].
func (h *byEnd) Pop() any {
	last := len(*h) - 1
	c := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return c
}
