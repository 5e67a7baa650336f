package netfilter

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hookd/hookd/stacks/netfilter/netns"
)

// Mode is what happens to a blocked connection's packets that arrive.
type Mode uint8

const (
	// Drop drops them; their sender repeats them when it notices.
	Drop Mode = iota
	// Hold keeps them until the release, then they go on.
	Hold
)

// String returns a word for it.
func (m Mode) String() string {
	if m == Hold {
		return "hold"
	}
	return "drop"
}

// Config says what locks are to be. Zero values mean the defaults.
type Config struct {
	// Namespace is where the connections are.
	Namespace netns.Handle
	// Lease is how long a block stands without being renewed: 10 s by default, at
	// least 10 ms, at most an hour.
	Lease time.Duration
	// MaxHeld is how many packets are held at most, over all connections: 65,536 by
	// default. What comes beyond is dropped.
	MaxHeld int
	// NoHold never takes a queue: every block drops.
	NoHold bool
}

func (c Config) withDefaults() Config {
	if c.Lease == 0 {
		c.Lease = 10 * time.Second
	}
	c.Lease = min(max(c.Lease, 10*time.Millisecond), time.Hour)
	if c.MaxHeld == 0 {
		c.MaxHeld = 65536
	}
	return c
}

// blocker is one way to block.
type blocker interface {
	block(mode Mode, lease time.Duration, list []Tuple) error
	renew(mode Mode, lease time.Duration, list []Tuple) error
	release(mode Mode, list []Tuple) error
	close() error
}

// Locks blocks connections of one network namespace.
type Locks struct {
	cfg  Config
	feat Features
	way  blocker
	held *held // nil where nothing can be held
	name string

	mu      sync.Mutex
	blocked map[Tuple]Mode
	closed  bool
}

// Open prepares to block connections: one transaction, then a block costs one
// message. It needs CAP_NET_ADMIN over the namespace.
func Open(cfg Config) (*Locks, error) {
	cfg = cfg.withDefaults()
	l := &Locks{cfg: cfg, blocked: map[Tuple]Mode{}}
	c, err := dial(cfg.Namespace)
	if err != nil {
		return nil, fmt.Errorf("netfilter: open: %w", err)
	}
	l.feat = probe(c)
	switch {
	case l.feat.Way == WayNone:
		_ = c.Close()
		return nil, fmt.Errorf("netfilter: open: %w", l.feat.Err)
	case l.feat.Way == WayIptables:
		_ = c.Close()
		l.way = &iptables{ns: cfg.Namespace}
		return l, nil
	case l.feat.Way.CanHold() && !cfg.NoHold:
		if l.held, err = newHeld(cfg); err != nil {
			_ = c.Close()
			return nil, err
		}
	}
	_ = Sweep(cfg.Namespace)
	t := &nft{conn: c, feat: l.feat, uses: map[element]int{}}
	if l.held != nil {
		t.queue = l.held.queue.Num()
	}
	if err := t.create(); err != nil {
		_ = c.Close()
		return nil, errors.Join(fmt.Errorf("netfilter: open: %w", err), l.held.close())
	}
	l.way, l.name = t, t.name
	return l, nil
}

// Table returns the name of the nftables table, "" where there is none.
func (l *Locks) Table() string { return l.name }

// CanHold reports whether [Hold] holds; where not, it drops.
func (l *Locks) CanHold() bool { return l.held != nil }

// Lease returns how long a block stands without being renewed.
func (l *Locks) Lease() time.Duration { return l.cfg.Lease }

// Block stops packets of connections, in both directions, for the length of the
// lease: those that arrive as the mode says, those that leave by refusing them to
// the socket, which keeps their bytes as unsent. All of them or none. It returns the
// mode that they got.
func (l *Locks) Block(mode Mode, list ...Tuple) (Mode, error) {
	if l.held == nil {
		mode = Drop
	}
	list, err := unmapped(list)
	if err != nil {
		return mode, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return mode, ErrClosed
	}
	for _, t := range list {
		if _, twice := l.blocked[t]; twice {
			return mode, fmt.Errorf("netfilter: block %v: it is blocked already", t)
		}
	}
	if mode == Hold {
		l.held.begin(list)
	}
	if err := l.way.block(mode, l.cfg.Lease, list); err != nil {
		if mode == Hold {
			err = errors.Join(err, l.held.end(list))
		}
		return mode, fmt.Errorf("netfilter: block %d connections: %w", len(list), err)
	}
	for _, t := range list {
		l.blocked[t] = mode
	}
	return mode, nil
}

func unmapped(list []Tuple) ([]Tuple, error) {
	out := make([]Tuple, len(list))
	for i, t := range list {
		if err := t.Valid(); err != nil {
			return nil, err
		}
		out[i] = t.unmapped()
	}
	return out, nil
}

// split sorts connections by their mode. Those that are not blocked are an error.
func (l *Locks) split(list []Tuple) (by [2][]Tuple, err error) {
	list, err = unmapped(list)
	if err != nil {
		return by, err
	}
	for _, t := range list {
		mode, ok := l.blocked[t]
		if !ok {
			return by, fmt.Errorf("netfilter: %v is not blocked", t)
		}
		by[mode] = append(by[mode], t)
	}
	return by, nil
}

// Renew starts the leases of blocked connections anew. One that had ended is
// [ErrLeaseExpired], and then none is renewed.
func (l *Locks) Renew(list ...Tuple) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	by, err := l.split(list)
	if err != nil {
		return err
	}
	for mode, some := range by {
		if len(some) == 0 {
			continue
		}
		if err := l.way.renew(Mode(mode), l.cfg.Lease, some); err != nil {
			return fmt.Errorf("netfilter: renew %d connections: %w", len(some), err)
		}
	}
	return nil
}

// Release ends blocks. What was held goes on, in the order in which it came. A lease
// that has expired is no error here.
func (l *Locks) Release(list ...Tuple) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	by, err := l.split(list)
	if err != nil {
		return err
	}
	return l.release(by)
}

func (l *Locks) release(by [2][]Tuple) error {
	var all error
	for mode, some := range by {
		if len(some) == 0 {
			continue
		}
		if err := l.way.release(Mode(mode), some); err != nil {
			all = errors.Join(all, fmt.Errorf("netfilter: release %d connections: %w", len(some), err))
		}
		if Mode(mode) == Hold {
			all = errors.Join(all, l.held.end(some))
		}
		for _, t := range some {
			delete(l.blocked, t)
		}
	}
	return all
}

// Lift takes blocks away that another process' table holds in the same namespace, so
// that a connection which moved to this one goes on. A block that has ended is no
// error. What the other process holds, it has to let go itself.
func (l *Locks) Lift(table string, mode Mode, list ...Tuple) error {
	if !strings.HasPrefix(table, tablePrefix) {
		return fmt.Errorf("netfilter: lift: no table of locks: %q", table)
	}
	list, err := unmapped(list)
	if err != nil {
		return err
	}
	own, ok := l.way.(*nft)
	if !ok {
		return fmt.Errorf("netfilter: lift: %v: %w", l.feat.Way, errors.ErrUnsupported)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	other := nft{conn: own.conn, name: table}
	if err := other.take(elementsOf(mode, list)); err != nil {
		return fmt.Errorf("netfilter: lift: %w", err)
	}
	return nil
}

// Discard drops what is held of a connection so far, which stays blocked: its
// socket lives elsewhere now and gets it from its sender again.
func (l *Locks) Discard(t Tuple) error {
	if l.held == nil {
		return nil
	}
	return l.held.discard(t.unmapped())
}

// Held returns how many packets of a connection are held.
func (l *Locks) Held(t Tuple) int {
	if l.held == nil {
		return 0
	}
	return l.held.count(t.unmapped())
}

// Refused returns how many packets were dropped because [Config.MaxHeld] were held.
func (l *Locks) Refused() uint64 {
	if l.held == nil {
		return 0
	}
	return l.held.refused.Load()
}

// Abandon closes the locks and leaves what is blocked blocked until its lease ends.
// Held packets are dropped. [Sweep] takes the empty table away later.
func (l *Locks) Abandon() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	if t, ok := l.way.(*nft); ok && len(l.blocked) > 0 {
		return errors.Join(l.held.close(), t.conn.Close())
	}
	return errors.Join(l.held.close(), l.way.close())
}

// Close releases all blocks and takes the table away.
func (l *Locks) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	var by [2][]Tuple
	for t, mode := range l.blocked {
		by[mode] = append(by[mode], t)
	}
	return errors.Join(l.release(by), l.held.close(), l.way.close())
}
