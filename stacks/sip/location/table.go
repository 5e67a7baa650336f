package location

import (
	"cmp"
	"container/heap"
	"slices"
)

// Limits bound a table.
type Limits struct {
	Contacts int // of one address of record
	Total    int // in all
	Paths    int // bytes of Path that a contact has
}

// DefaultLimits returns what holds where nothing else is said.
func DefaultLimits() Limits { return Limits{Contacts: 10, Total: 100_000, Paths: 2048} }

// Contact is where a user can be reached.
type Contact struct {
	AOR      string
	URI      string
	Instance string // +sip.instance as written, with its quotes (RFC 5626, 4.1)
	RegID    uint32 // which of the instance's flows, 0: none
	Q        int    // thousandths
	CallID   string
	CSeq     uint32
	Since    int64 // when it was first registered, and when it ends: nanoseconds
	Expires  int64
	Path     []string // URIs of proxies before it, in brackets, nearest to here first
	NextHop  string   // URI of where its requests are sent, if not to its URI or its Path
	Socket   string   // address of ours that it sent to
	Agent    string   // User-Agent
	// Temporary: its client knows of GRUUs, and is given temporary ones.
	Temporary bool

	place  int // in the heap
	serial uint64
	temp   uint64 // number that its temporary GRUUs have, 0: it has none
}

// Change says what became of a contact.
type Change uint8

// What becomes of contacts.
const (
	Added Change = iota
	Updated
	Removed
	Expired
)

// Stats counts what a table did and refused.
type Stats struct {
	AORs, Contacts  int    // that exist
	Registers       uint64 // that were answered with a 2xx
	Refused         uint64 // that were not
	Expired         uint64 // contacts that nobody registered again
	TooMany, NoRoom uint64 // contacts refused for Limits.Contacts, and for Limits.Total
}

// Table is the bindings that exist.
type Table struct {
	lim     Limits
	aors    map[string][]*Contact
	ends    byEnd
	temps   map[uint64]*Contact // by the number that temporary GRUUs have
	seals   seals
	sealed  uint32
	serial  uint64
	stats   Stats
	changed func(*Contact, Change)
}

// New returns an empty table. changed is told of each change, once it is made; it may
// be nil.
func New(lim Limits, changed func(*Contact, Change)) *Table {
	if changed == nil {
		changed = func(*Contact, Change) {}
	}
	return &Table{lim: lim, aors: map[string][]*Contact{}, temps: map[uint64]*Contact{}, seals: newSeals(), changed: changed}
}

// Repeat has temporary URIs made as in every other process that says so: where they hide nobody. It comes before the
// first contact.
func (t *Table) Repeat() { t.seals = sealsOf([16]byte{}) }

// Stats returns what was counted so far.
func (t *Table) Stats() Stats {
	t.stats.AORs, t.stats.Contacts = len(t.aors), len(t.ends)
	return t.stats
}

// Contacts returns the contacts of an address of record that have not ended, highest q
// first, and of equal ones the latest. They are lent.
func (t *Table) Contacts(aor string, now int64) []*Contact {
	var list []*Contact
	for _, c := range t.aors[aor] {
		if c.Expires > now {
			list = append(list, c)
		}
	}
	slices.SortStableFunc(list, func(a, b *Contact) int {
		return cmp.Or(cmp.Compare(b.Q, a.Q), cmp.Compare(b.serial, a.serial))
	})
	return list
}

// Steps groups contacts for forking: those of one step are tried at the same time, later
// ones when all before have failed. A step has what is equal in q; of an instance's
// flows the latest comes first, and the others in steps of their own (RFC 5626, 7).
func Steps(list []*Contact) [][]*Contact {
	var steps, spare [][]*Contact
	seen := map[string]bool{}
	q := -1
	for _, c := range list {
		if c.RegID != 0 && seen[c.Instance] {
			spare = append(spare, []*Contact{c})
			continue
		}
		if c.RegID != 0 {
			seen[c.Instance] = true
		}
		if c.Q != q {
			steps, q = append(steps, nil), c.Q
		}
		steps[len(steps)-1] = append(steps[len(steps)-1], c)
	}
	return append(steps, spare...)
}

// All returns all contacts that have not ended, by address of record. They are lent.
func (t *Table) All(now int64) []*Contact {
	list := make([]*Contact, 0, len(t.ends))
	for _, c := range t.ends {
		if c.Expires > now {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b *Contact) int { return cmp.Or(cmp.Compare(a.AOR, b.AOR), cmp.Compare(a.serial, b.serial)) })
	return list
}

// Put makes a contact, or takes it for the one that it is a binding of; false: there is
// no room.
func (t *Table) Put(c *Contact, now int64) bool {
	if old := t.find(c); old != nil {
		t.update(old, c)
		return true
	}
	if !t.room(c.AOR, 1, now) {
		return false
	}
	t.add(c)
	return true
}

// find returns the contact whose binding c is.
func (t *Table) find(c *Contact) *Contact {
	for _, old := range t.aors[c.AOR] {
		if same(old, c) {
			return old
		}
	}
	return nil
}

// room reports whether more contacts of an address of record may be made.
func (t *Table) room(aor string, more int, now int64) bool {
	switch {
	case len(t.Contacts(aor, now))+more > t.lim.Contacts:
		t.stats.TooMany++
	case len(t.ends)+more > t.lim.Total:
		t.stats.NoRoom++
	default:
		return true
	}
	return false
}

func (t *Table) add(c *Contact) {
	t.serial++
	c.serial = t.serial
	t.number(c, c)
	t.aors[c.AOR] = append(t.aors[c.AOR], c)
	heap.Push(&t.ends, c)
	t.changed(c, Added)
}

// update makes a contact say what its next registration says.
func (t *Table) update(old, c *Contact) {
	t.serial++
	c.serial, c.place, c.Since = t.serial, old.place, old.Since
	if old.CallID == c.CallID {
		c.temp = old.temp
	} else {
		delete(t.temps, old.temp) // it is bound anew: what it had leads nowhere (RFC 5627, 5.4)
	}
	t.number(c, old)
	*old = *c
	heap.Fix(&t.ends, old.place)
	t.changed(old, Updated)
}

// number gives a contact that has none the number of its temporary GRUUs; it will be at.
func (t *Table) number(c, at *Contact) {
	if c.Temporary && c.temp == 0 {
		c.temp = c.serial
		t.temps[c.temp] = at
	}
}

// remove takes a contact away.
func (t *Table) remove(c *Contact, why Change) {
	heap.Remove(&t.ends, c.place)
	delete(t.temps, c.temp)
	list := slices.DeleteFunc(t.aors[c.AOR], func(o *Contact) bool { return o == c })
	if len(list) == 0 {
		delete(t.aors, c.AOR)
	} else {
		t.aors[c.AOR] = list
	}
	t.changed(c, why)
}

// Remove takes the contacts of an address of record away: all, or the one of a URI. It
// returns how many there were.
func (t *Table) Remove(aor, uri string) int {
	n := 0
	for _, c := range slices.Clone(t.aors[aor]) {
		if uri == "" || c.URI == uri {
			t.remove(c, Removed)
			n++
		}
	}
	return n
}

// Next returns when the next contact ends; false if there is none.
func (t *Table) Next() (int64, bool) {
	if len(t.ends) == 0 {
		return 0, false
	}
	return t.ends[0].Expires, true
}

// Expire takes away what has ended.
func (t *Table) Expire(now int64) {
	for len(t.ends) != 0 && t.ends[0].Expires <= now {
		t.stats.Expired++
		t.remove(t.ends[0], Expired)
	}
}

// byEnd is a heap of contacts, the next to end first.
type byEnd []*Contact

// Len implements [heap.Interface].
func (h byEnd) Len() int { return len(h) }

// Less implements [heap.Interface].
func (h byEnd) Less(i, j int) bool { return h[i].Expires < h[j].Expires }

// Swap implements [heap.Interface].
func (h byEnd) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push implements [heap.Interface].
func (h *byEnd) Push(x any) {
	c := x.(*Contact)
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
