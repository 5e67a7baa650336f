package store

import (
	"math"
	"sort"
	"time"

	"github.com/hookd/hookd/engine/record"
)

// never is the deadline of an entry that does not expire.
const never = math.MaxInt64

// entry is one key of a store.
type entry struct {
	key   Key
	val   record.Value // of a map
	num   float64      // of a counter
	until int64        // event time from which on the entry is absent
	seq   uint64       // grows with every insertion
	heap  int32        // position in the deadlines, -1 if it has none
	bytes int32        // what it is charged with
}

// entryBytes is charged for an entry beside the bytes of its key and value: the
// struct, its places in the index, the order and the deadlines.
const entryBytes = 256

// deadline returns when an entry that is touched now with ttl ends.
func deadline(now int64, ttl time.Duration) int64 {
	if ttl == Forever || now > never-int64(ttl) {
		return never
	}
	return now + int64(ttl)
}

// order keeps entries in the order of insertion. Places of removed entries stay
// empty until they are more than those in use.
type order struct {
	slots []slot
	empty int
}

type slot struct {
	seq uint64
	e   *entry // nil: removed
}

func (o *order) add(e *entry) { o.slots = append(o.slots, slot{e.seq, e}) }

// after returns the position of the first place behind seq.
func (o *order) after(seq uint64) int {
	return sort.Search(len(o.slots), func(i int) bool { return o.slots[i].seq > seq })
}

func (o *order) remove(e *entry) {
	o.slots[o.after(e.seq-1)].e = nil
	o.empty++
	// Expiry and eviction empty the front, which costs nothing to drop.
	front := 0
	for front < len(o.slots) && o.slots[front].e == nil {
		front++
	}
	o.slots, o.empty = o.slots[front:], o.empty-front
	if o.empty > 64 && o.empty > len(o.slots)/2 {
		o.compact()
	}
}

func (o *order) compact() {
	kept := make([]slot, 0, len(o.slots)-o.empty+16)
	for _, s := range o.slots {
		if s.e != nil {
			kept = append(kept, s)
		}
	}
	o.slots, o.empty = kept, 0
}

// first returns the entry that was added first, nil if there is none.
func (o *order) first() *entry {
	if len(o.slots) == 0 {
		return nil
	}
	return o.slots[0].e
}

// deadlines is a heap of the entries that expire. An entry's place is right for
// a deadline that is not later than its real one: touching an entry, which
// moves its deadline away, costs nothing.
type deadlines struct {
	at []due
}

type due struct {
	time int64
	e    *entry
}

// set gives e the deadline until, never takes it out.
func (d *deadlines) set(e *entry, until int64) {
	e.until = until
	switch {
	case until == never:
		d.drop(e)
	case e.heap < 0:
		e.heap = int32(len(d.at))
		d.at = append(d.at, due{until, e})
		d.up(int(e.heap))
	case until < d.at[e.heap].time:
		d.at[e.heap].time = until
		d.up(int(e.heap))
	}
}

// drop takes e out.
func (d *deadlines) drop(e *entry) {
	i := int(e.heap)
	if i < 0 {
		return
	}
	last := len(d.at) - 1
	d.swap(i, last)
	d.at[last] = due{}
	d.at = d.at[:last]
	e.heap = -1
	if i < last {
		d.down(i)
		d.up(i)
	}
	if cap(d.at) > 1024 && len(d.at) < cap(d.at)/4 {
		d.at = append(make([]due, 0, 2*len(d.at)), d.at...)
	}
}

// look does one piece of work towards finding an entry whose deadline has come:
// it returns the entry, or puts one that was touched in its right place. due is
// false when no deadline has come.
func (d *deadlines) look(now int64) (e *entry, due bool) {
	if len(d.at) == 0 || d.at[0].time > now {
		return nil, false
	}
	top := &d.at[0]
	if top.e.until <= now {
		return top.e, true
	}
	top.time = top.e.until
	d.down(0)
	return nil, true
}

func (d *deadlines) up(i int) {
	for i > 0 {
		parent := (i - 1) / 4
		if d.at[parent].time <= d.at[i].time {
			return
		}
		d.swap(i, parent)
		i = parent
	}
}

func (d *deadlines) down(i int) {
	for {
		least := i
		for c := 4*i + 1; c <= 4*i+4 && c < len(d.at); c++ {
			if d.at[c].time < d.at[least].time {
				least = c
			}
		}
		if least == i {
			return
		}
		d.swap(i, least)
		i = least
	}
}

func (d *deadlines) swap(i, j int) {
	d.at[i], d.at[j] = d.at[j], d.at[i]
	d.at[i].e.heap, d.at[j].e.heap = int32(i), int32(j)
}
