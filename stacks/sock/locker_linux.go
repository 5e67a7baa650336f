package sock

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/stacks/netfilter"
	"github.com/hookd/hookd/stacks/netfilter/netns"
)

// locker is the locks of a mover, one set for each network namespace.
type locker struct {
	mu      sync.Mutex
	places  map[uint64]*place // by inode
	cookies map[uint64]*place // by SO_NETNS_COOKIE, those that are known
}

// place is a network namespace where connections are blocked.
type place struct {
	ns     netns.Handle
	thread netns.Resident // in it
	locks  *netfilter.Locks
	debug  func(msg string, args ...any)
	mu     sync.Mutex
	locked map[netfilter.Tuple]blocked
	pruned time.Time
}

// blocked is how and since when a connection is blocked, and when its lease ends.
type blocked struct {
	since, until time.Time
	mode         netfilter.Mode
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
	thread, err := ns.Resident()
	if err != nil {
		return nil, errors.Join(err, ns.Close())
	}
	locks, err := netfilter.Open(netfilter.Config{Namespace: ns, Lease: m.lease()})
	if err != nil {
		thread.Close()
		return nil, errors.Join(err, ns.Close())
	}
	p := &place{ns: ns, thread: thread, locks: locks, debug: m.debug, locked: map[netfilter.Tuple]blocked{}}
	if m.lock.places == nil {
		m.lock.places, m.lock.cookies = map[uint64]*place{}, map[uint64]*place{}
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
	cookie, told := netnsCookie(fd) // since Linux 5.14
	if told {
		m.lock.mu.Lock()
		p := m.lock.cookies[cookie]
		m.lock.mu.Unlock()
		if p != nil {
			return p, nil
		}
	}
	ns, err := namespaceOf(fd)
	if err != nil {
		return nil, err
	}
	p, err := m.placeIn(ns)
	if err == nil && told {
		m.lock.mu.Lock()
		m.lock.cookies[cookie] = p
		m.lock.mu.Unlock()
	}
	return p, err
}

// netnsCookie returns what names the network namespace of a socket as long as this
// host is up.
func netnsCookie(fd int) (uint64, bool) {
	var b [8]byte
	_, err := getBytes(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE, b[:])
	return binary.NativeEndian.Uint64(b[:]), err == nil
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

// block blocks a connection, unless it is already by this mover: then the lease begins
// anew, if half of it is over. It returns since when. A block whose lease had ended is made anew: what was held under
// it is dropped, since packets have passed meanwhile.
func (p *place) block(t netfilter.Tuple, drop bool) (blocked, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.prune()
	if b, ok := p.locked[t]; ok {
		if time.Until(b.until) > p.locks.Lease()/2 {
			return b, nil
		}
		err := p.renewed(t)
		if !errors.Is(err, netfilter.ErrLeaseExpired) {
			return b, err
		}
		if err := p.drop(t); err != nil {
			return b, err
		}
	}
	mode := netfilter.Hold
	if drop {
		mode = netfilter.Drop
	}
	now := time.Now()
	b := blocked{since: now, until: now.Add(p.locks.Lease())}
	var err error
	if b.mode, err = p.locks.Block(mode, t); err != nil {
		return b, err
	}
	p.locked[t] = b
	p.debug("blocked", "conn", t, "mode", b.mode)
	return b, nil
}

// prune forgets blocks whose lease has ended long ago: connections that went to another
// host, or that nobody came back for.
func (p *place) prune() {
	now, lease := time.Now(), p.locks.Lease()
	if now.Sub(p.pruned) < lease {
		return
	}
	p.pruned = now
	for t, b := range p.locked {
		if now.Sub(b.until) > lease {
			// What the kernel cannot do here it does when the locks are closed.
			_ = p.drop(t)
		}
	}
}

// drop forgets a block that stands no more, and drops what is still held.
func (p *place) drop(t netfilter.Tuple) error {
	delete(p.locked, t)
	return errors.Join(p.locks.Discard(t), p.locks.Release(t))
}

// renew starts the lease anew; it is an error if it had ended.
func (p *place) renew(t netfilter.Tuple) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.renewed(t)
}

func (p *place) renewed(t netfilter.Tuple) error {
	until := time.Now().Add(p.locks.Lease())
	if err := p.locks.Renew(t); err != nil {
		return err
	}
	if b, ok := p.locked[t]; ok {
		b.until = until
		p.locked[t] = b
	}
	return nil
}

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

// HeldRefused returns how many packets were dropped because as many were held as a
// network namespace may have.
func (m *Mover) HeldRefused() (n uint64) {
	m.lock.mu.Lock()
	defer m.lock.mu.Unlock()
	for _, p := range m.lock.places {
		n += p.locks.Refused()
	}
	return n
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
		p.thread.Close()
		all = errors.Join(all, p.locks.Abandon(), p.ns.Close())
		delete(m.lock.places, inode)
	}
	clear(m.lock.cookies)
	return all
}

// Block blocks a connection's packets for the lease, which [Mover.Renew] starts anew
// and [Mover.Unlock] ends: for callers of the staged calls. The keeper, if there is one,
// holds on to the socket until [Mover.Forget].
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
	if m.Keeper != nil {
		if err := m.Keeper.watch(fd, p.watched(t.String(), t, true)); err != nil {
			return t, err
		}
	}
	_, err = p.block(t, false)
	return t, err
}

// Forget tells the keeper that a connection which was blocked by [Mover.Block] needs no
// keeping any more: it was resumed or closed.
func (m *Mover) Forget(t netfilter.Tuple) {
	if m.Keeper != nil {
		m.Keeper.forget(t.String())
	}
}

// watched is what a keeper has to know of a socket in this place.
func (p *place) watched(id string, t netfilter.Tuple, hold bool) watched {
	return watched{ID: id, Local: t.Local, Remote: t.Remote, Table: p.locks.Table(), Held: hold && p.locks.CanHold()}
}

// FirstData reports whether bytes have come on a restored connection since it went on.
func (r *Restored) FirstData() (bool, error) {
	info, err := readInfo(r.FD)
	if err != nil {
		return false, fmt.Errorf("sock: look at %v: %w", r.Remote, err)
	}
	return info.bytesReceived > uint64(r.inq), nil
}
