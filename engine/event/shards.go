package event

import "sync"

// Drive says how the shards of a process are entered.
type Drive uint8

const (
	// Together means in turn: one lock is the lock of all, one order holds for the
	// timers of all, and who entered one may use what belongs to any. What happens
	// does not depend on how many shards there are.
	Together Drive = iota
	// Apart means at the same time, each by a goroutine of its own: what concerns
	// another shard is looked at by [Shard.Look] and posted by [Shard.Post].
	Apart
)

// Shards are the shards of one process.
type Shards struct {
	list  []*Shard
	drive Drive
	// several shards are driven together.
	several bool
	clock   Clock
	lock    sync.Mutex // of all, where they are driven together
	armed   uint64     // timers armed so far, where they are driven together
}

// NewShards returns n shards, at least one, with the clock at zero and nothing
// bound. At most inbox posts wait in each; 0 means 4096.
func NewShards(n int, drive Drive, inbox int) *Shards {
	if inbox == 0 {
		inbox = defaultInbox
	}
	set := &Shards{drive: drive, several: drive == Together && n > 1}
	set.clock.told = make([]told, 1)
	if drive == Apart {
		set.clock.told = make([]told, max(n, 1))
	}
	for i := range max(n, 1) {
		s := &Shard{index: i, set: set, told: &set.clock.told[i%len(set.clock.told)]}
		s.inbox.limit = inbox
		s.mu = &s.own
		if set.several {
			s.mu, s.timers.common = &set.lock, &set.armed
		}
		set.list = append(set.list, s)
	}
	return set
}

// Len returns how many there are.
func (set *Shards) Len() int { return len(set.list) }

// At returns shard i, from 0.
func (set *Shards) At(i int) *Shard { return set.list[i] }

// Drive returns how the shards are entered.
func (set *Shards) Drive() Drive { return set.drive }

// Clock returns the clock of all, which any goroutine may ask.
func (set *Shards) Clock() *Clock { return &set.clock }

// advance is [Shard.Advance] for all shards, which the caller has entered.
func (set *Shards) advance(ts int64) {
	for _, s := range set.list {
		s.goal = max(s.now, ts)
	}
	for {
		var first *Shard
		for _, s := range set.list {
			if s.timers.due(ts) && (first == nil || s.timers.earlier(&first.timers)) {
				first = s
			}
		}
		if first == nil {
			break
		}
		t := first.timers.next(ts)
		set.move(t.when)
		first.Tell()
		t.fire(first.now)
	}
	set.move(ts)
}

// move moves the time of all shards.
func (set *Shards) move(ts int64) {
	for _, s := range set.list {
		s.now = max(s.now, ts)
	}
}
