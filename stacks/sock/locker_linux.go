package sock

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hookd/hookd/stacks/netfilter"
	"github.com/hookd/hookd/stacks/netfilter/netns"
)

// locker is the locks of a mover, one set for each network namespace.
type locker struct {
	mu     sync.Mutex
	places map[uint64]*place
}

// place is a network namespace where connections are blocked.
type place struct {
	ns     netns.Handle
	locks  *netfilter.Locks
	mu     sync.Mutex
	locked map[netfilter.Tuple]blocked
}

// blocked is how and since when a connection is blocked.
type blocked struct {
	since time.Time
	mode  netfilter.Mode
}

// placeIn returns the place of a namespace, whose handle it takes over.
func (m *Mover) placeIn(ns netns.Handle) (*place, error) {
	inode, err := ns.Inode()
	if err != nil {
		return nil, errors.Join(err, ns.Close())
	}
	m.lock.mu.Lock()
	defer m.lock.mu.Unlock()
	if p := m.lock.places[inode]; p != nil {
		return p, ns.Close()
	}
	locks, err := netfilter.Open(netfilter.Config{Namespace: ns, Lease: m.lease()})
	if err != nil {
		return nil, errors.Join(err, ns.Close())
	}
	p := &place{ns: ns, locks: locks, locked: map[netfilter.Tuple]blocked{}}
	if m.lock.places == nil {
		m.lock.places = map[uint64]*place{}
	}
	m.lock.places[inode] = p
	return p, nil
}

func (m *Mover) lease() time.Duration {
	if m.Lease > 0 {
		return m.Lease
	}
	return DefaultLease
}

// placeOf returns the place of a socket.
func (m *Mover) placeOf(fd int) (*place, error) {
	ns, err := namespaceOf(fd)
	if err != nil {
		return nil, err
	}
	return m.placeIn(ns)
}

// placeAt returns the place of a path, the caller's own for "".
func (m *Mover) placeAt(path string) (*place, error) {
	if path == "" {
		return m.placeIn(netns.Handle{})
	}
	ns, err := netns.OfPath(path)
	if err != nil {
		return nil, err
	}
	return m.placeIn(ns)
}

// block blocks a connection, unless it is already by this mover: then it renews. It
// returns since when.
func (p *place) block(t netfilter.Tuple, drop bool) (blocked, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if b, ok := p.locked[t]; ok {
		return b, p.locks.Renew(t)
	}
	mode := netfilter.Hold
	if drop {
		mode = netfilter.Drop
	}
	b := blocked{since: time.Now()}
	var err error
	if b.mode, err = p.locks.Block(mode, t); err != nil {
		return b, err
	}
	p.locked[t] = b
	return b, nil
}

// renew starts the lease anew; it is an error if it had ended.
func (p *place) renew(t netfilter.Tuple) error { return p.locks.Renew(t) }

func (p *place) release(t netfilter.Tuple) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.locked[t]; !ok {
		return nil
	}
	delete(p.locked, t)
	return p.locks.Release(t)
}

// Unlock lets packets of a connection pass again that a checkpoint left blocked, in
// whichever namespace. What was held goes on. Where no socket was restored, the
// kernel answers the next packet with RST.
func (m *Mover) Unlock(t netfilter.Tuple) error {
	m.lock.mu.Lock()
	defer m.lock.mu.Unlock()
	var all error
	for _, p := range m.lock.places {
		all = errors.Join(all, p.release(t))
	}
	return all
}

// Renew starts the lease of a blocked connection anew.
func (m *Mover) Renew(t netfilter.Tuple) error {
	m.lock.mu.Lock()
	defer m.lock.mu.Unlock()
	for _, p := range m.lock.places {
		p.mu.Lock()
		_, ok := p.locked[t]
		p.mu.Unlock()
		if ok {
			return p.renew(t)
		}
	}
	return fmt.Errorf("sock: %v is not blocked", t)
}

// Prepare makes what the whole forms need in the caller's namespace, so that the
// first move does not pay for it: some milliseconds.
func (m *Mover) Prepare() error {
	_, err := m.placeAt("")
	return err
}

// Close gives up the mover's locks. What it left blocked stays blocked until its lease
// ends.
func (m *Mover) Close() error {
	m.lock.mu.Lock()
	defer m.lock.mu.Unlock()
	var all error
	for inode, p := range m.lock.places {
		all = errors.Join(all, p.locks.Abandon(), p.ns.Close())
		delete(m.lock.places, inode)
	}
	return all
}

// Block blocks a connection's packets for the lease, which [Mover.Renew] starts anew
// and [Mover.Unlock] ends: for callers of the staged calls.
func (m *Mover) Block(fd int) (netfilter.Tuple, error) {
	local, err := localOf(fd)
	if err != nil {
		return netfilter.Tuple{}, fmt.Errorf("sock: block: %w", err)
	}
	remote, err := peerOf(fd)
	if err != nil {
		return netfilter.Tuple{}, fmt.Errorf("sock: block: %w", err)
	}
	t := netfilter.Tuple{Local: local, Remote: remote}
	p, err := m.placeOf(fd)
	if err != nil {
		return t, err
	}
	_, err = p.block(t, false)
	return t, err
}

// FirstData reports whether bytes have come on a restored connection since it went on.
func (r *Restored) FirstData() (bool, error) {
	info, err := readInfo(r.FD)
	if err != nil {
		return false, fmt.Errorf("sock: look at %v: %w", r.Remote, err)
	}
	return info.bytesReceived > uint64(r.inq), nil
}
