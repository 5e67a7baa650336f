package netfilter

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/stacks/netfilter/netlink"
)

// Messages and attributes of connection tracking (nfnetlink_conntrack.h).
const (
	ctDelete    = unix.NFNL_SUBSYS_CTNETLINK<<8 | 2
	ctTupleOrig = 1
	ctTupleIP   = 1
	ctTupleL4   = 2
)

// Forget deletes what connection tracking knows of a connection, whichever end began
// it. A host that a connection has left would otherwise take it for one gone wrong when
// it comes back, and a stateful firewall drop it. Without an entry, or without tracking,
// nothing is done.
func (l *Locks) Forget(t Tuple) error {
	own, ok := l.way.(*nft)
	if !ok {
		return nil
	}
	if err := t.Valid(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, dir := range []Tuple{t.unmapped(), t.unmapped().reversed()} {
		var b netlink.Builder
		forget(&b, dir)
		err := own.conn.Execute(&b)
		if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.EOPNOTSUPP) {
			return fmt.Errorf("netfilter: forget %v: %w", t, err)
		}
	}
	return nil
}

// forget writes the message for a connection that Local began.
func forget(b *netlink.Builder, t Tuple) {
	family := byte(unix.AF_INET)
	if t.is6() {
		family = unix.AF_INET6
	}
	b.Begin(ctDelete, unix.NLM_F_REQUEST|unix.NLM_F_ACK, family, 0, 0, 0)
	tuple := b.Nest(ctTupleOrig)
	ip := b.Nest(ctTupleIP)
	for i, a := range []netip.Addr{t.Local.Addr(), t.Remote.Addr()} {
		typ := uint16(1 + i)
		if t.is6() {
			typ += 2
		}
		b.Attr(typ, a.AsSlice()...)
	}
	b.EndNest(ip)
	l4 := b.Nest(ctTupleL4)
	b.Uint8(1, unix.IPPROTO_TCP)
	b.Uint16(2, t.Local.Port())
	b.Uint16(3, t.Remote.Port())
	b.EndNest(l4)
	b.EndNest(tuple)
	b.End()
}
