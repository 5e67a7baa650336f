package flow

import (
	"cmp"
	"container/heap"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// maxReason bounds the text that says why an address is blocked, in bytes.
const maxReason = 256

// Block is one prefix that nothing passes from or to.
type Block struct {
	Prefix netip.Prefix
	Reason string
	// Script and Rule blocked it; empty where no script did.
	Script, Rule string
	Since        int64 // nanoseconds of event time
	Until        int64 // the same; math.MaxInt64 for until it is taken back
	// Observe: the rule that made it only observes, so it stops nothing.
	Observe bool
	// Pkts counts the packets that it stopped or, where verdicts are only recorded, would have.
	Pkts uint64
}

// TTL returns for how long the prefix is blocked, 0 for until it is taken back.
func (b *Block) TTL() time.Duration {
	if b.Until == math.MaxInt64 {
		return 0
	}
	return time.Duration(b.Until - b.Since)
}

// BlockStats counts what a table of blocks did.
type BlockStats struct {
	Blocked uint64 // prefixes that came in
	Renewed uint64 // of those that were in it, blocked again
	Ended   uint64 // expired or taken back
	Never   uint64 // refused: they meet what is never blocked
	Full    uint64 // refused: the table was full
	Now     int
}

// Blocks is a table of blocked prefixes, which the stacks of all shards share. Any goroutine may use
// it.
type Blocks struct {
	n       atomic.Int32 // how many there are, read without the lock
	mu      sync.RWMutex
	max     int
	never   []netip.Prefix
	table   map[netip.Prefix]*entry
	due     dueHeap
	lengths [2][]length // of the prefixes in table, the longest first: of IPv4, of IPv6
	seq     uint64
	stats   BlockStats
}

// entry is a block in the table.
type entry struct {
	Block
	seq   uint64 // order of blocking
	place int    // in the heap
	pkts  atomic.Uint64
	text  string // the prefix
}

// dueHeap has the entry that is over first at its front, for package heap.
type dueHeap []*entry

func (h dueHeap) Len() int { return len(h) }

func (h dueHeap) Less(i, j int) bool {
	if h[i].Until != h[j].Until {
		return h[i].Until < h[j].Until
	}
	return h[i].seq < h[j].seq
}

func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push implements [heap.Interface].
func (h *dueHeap) Push(x any) {
	e := x.(*entry)
	e.place = len(*h)
	*h = append(*h, e)
}

// Pop implements [heap.Interface].
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return e
}

// length counts the prefixes of one length.
type length struct{ bits, n int }

// defaultMaxBlocks is how many prefixes are blocked at most.
const defaultMaxBlocks = 100_000

// alwaysSpared are never blocked: a host that loses these loses itself.
func alwaysSpared() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"),
		netip.MustParsePrefix("0.0.0.0/32"), netip.MustParsePrefix("::/128"),
	}
}

// NewBlocks returns an empty table for at most limit prefixes, 100,000 where limit is 0. What
// overlaps one of never, the loopback networks or the unspecified addresses is refused.
func NewBlocks(limit int, never ...netip.Prefix) *Blocks {
	if limit <= 0 {
		limit = defaultMaxBlocks
	}
	b := &Blocks{max: limit, table: map[netip.Prefix]*entry{}, never: alwaysSpared()}
	b.Never(never...)
	return b
}

// Never adds prefixes that are not blocked from now on: the host's own addresses, for one. Blocks that
// are in the table already stay.
func (b *Blocks) Never(prefixes ...netip.Prefix) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range prefixes {
		b.never = append(b.never, onWire(p))
	}
}

// Errors of [Blocks.Add]; the first comes wrapped with what it overlaps.
var (
	ErrNeverBlocked = errors.New("never blocked")
	ErrBlocksFull   = errors.New("the table of blocks is full")
	ErrNotBlocked   = errors.New("not blocked")
)

// Add blocks a prefix, and reports whether it was not blocked already; one that was takes over the
// new time and reason.
func (b *Blocks) Add(what Block) (fresh bool, err error) {
	what.Prefix = onWire(what.Prefix)
	what.Reason = what.Reason[:min(len(what.Reason), maxReason)]
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.never {
		if p.Overlaps(what.Prefix) {
			b.stats.Never++
			return false, fmt.Errorf("%s is %w: it meets %s", textOf(what.Prefix), ErrNeverBlocked, textOf(p))
		}
	}
	if e := b.table[what.Prefix]; e != nil {
		b.stats.Renewed++
		e.Until, e.Reason, e.Script, e.Rule, e.Observe = what.Until, what.Reason, what.Script, what.Rule, what.Observe
		heap.Fix(&b.due, e.place)
		return false, nil
	}
	if len(b.table) >= b.max {
		b.stats.Full++
		return false, fmt.Errorf("%w: it holds %d", ErrBlocksFull, b.max)
	}
	b.seq++
	b.stats.Blocked++
	e := &entry{Block: what, seq: b.seq, text: textOf(what.Prefix)}
	b.table[what.Prefix] = e
	heap.Push(&b.due, e)
	b.count(what.Prefix, 1)
	b.n.Store(int32(len(b.table)))
	return true, nil
}

// Remove takes a prefix back, exactly as it was blocked.
func (b *Blocks) Remove(p netip.Prefix) (Block, error) {
	p = onWire(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.table[p]
	if e == nil {
		return Block{}, fmt.Errorf("%s is %w", textOf(p), ErrNotBlocked)
	}
	b.drop(e)
	return e.snapshot(), nil
}

// expired takes out what is over at the time now, the first to be over first, and returns when the next
// is; math.MaxInt64 for never.
func (b *Blocks) expired(now int64) (over []Block, next int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.due) > 0 && b.due[0].Until <= now {
		e := b.due[0]
		b.drop(e)
		over = append(over, e.snapshot())
	}
	if len(b.due) == 0 {
		return over, math.MaxInt64
	}
	return over, b.due[0].Until
}

// drop takes e out. The caller has the lock.
func (b *Blocks) drop(e *entry) {
	delete(b.table, e.Prefix)
	heap.Remove(&b.due, e.place)
	b.count(e.Prefix, -1)
	b.stats.Ended++
	b.n.Store(int32(len(b.table)))
}

// count adds n prefixes of p's length. The caller has the lock.
func (b *Blocks) count(p netip.Prefix, n int) {
	list := &b.lengths[family(p.Addr())]
	at, ok := slices.BinarySearchFunc(*list, p.Bits(), func(l length, bits int) int { return cmp.Compare(bits, l.bits) })
	if !ok {
		*list = slices.Insert(*list, at, length{bits: p.Bits()})
	}
	if (*list)[at].n += n; (*list)[at].n == 0 {
		*list = slices.Delete(*list, at, at+1)
	}
}

func family(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// find returns the longest prefix in the table that has a and is not over at the time now; one that only
// observes where no other has it.
func (b *Blocks) find(a netip.Addr, now int64) (seen *entry) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, l := range b.lengths[family(a)] {
		p, err := a.Prefix(l.bits)
		if err != nil {
			continue
		}
		if e := b.table[p]; e != nil && now < e.Until {
			if !e.Observe {
				return e
			}
			seen = cmp.Or(seen, e)
		}
	}
	return seen
}

// List returns at most limit blocks in the order of blocking, all where limit is 0, and how many there
// are.
func (b *Blocks) List(limit int) (list []Block, total int) {
	b.mu.RLock()
	all := make([]*entry, 0, len(b.table))
	for _, e := range b.table {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *entry) int { return cmp.Compare(a.seq, b.seq) })
	total = len(all)
	if limit > 0 {
		all = all[:min(limit, total)]
	}
	for _, e := range all {
		list = append(list, e.snapshot())
	}
	b.mu.RUnlock()
	return list, total
}

// Stats returns what the table counted.
func (b *Blocks) Stats() BlockStats {
	b.mu.RLock()
	defer b.mu.RUnlock()
	s := b.stats
	s.Now = len(b.table)
	return s
}

// snapshot copies an entry with its count. The caller has the lock.
func (e *entry) snapshot() Block {
	c := e.Block
	c.Pkts = e.pkts.Load()
	return c
}

// onWire returns a prefix as packets' addresses compare with it: masked, and IPv4 not mapped into IPv6.
func onWire(p netip.Prefix) netip.Prefix {
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return netip.PrefixFrom(p.Addr().WithZone(""), p.Bits()).Masked()
}

// textOf writes a prefix, a single address without its length.
func textOf(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// ParsePrefix reads an address or a prefix.
func ParsePrefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		a = wireForm(a)
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf(`address or prefix such as "10.0.0.0/8" expected, got %q`, text[:min(len(text), 64)])
	}
	return onWire(p), nil
}
