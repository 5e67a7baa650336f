package edge

import (
	"net/netip"

	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip"
)

// Wire takes the place of sockets and names, for who plays all peers of a policy itself:
// what comes it gives to the group's stack. Its methods are called with the shard entered.
type Wire interface {
	// Send takes a message; b is lent. An error means that nobody is there.
	Send(to sip.Hop, b []byte) error
	// Find says which hops a name has, best first. port is 0 where the URI says none.
	Find(host string, port uint16) ([]sip.Hop, error)
}

// wireAddr is the address of listeners that are at any.
var wireAddr = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// pretend makes a listener one that has an address and no socket.
func (l *listener) pretend() {
	l.at = l.spec.addr
	if l.at.Port() == 0 {
		l.at = netip.AddrPortFrom(l.at.Addr(), portOf(l.spec.proto))
	}
	l.shown = l.spec.shown(l.at)
}

// Entry returns where a message of a peer comes in: the address of the first listener, in
// the order of their names, that has the transport and the peer's family; false if there is
// none. The caller has entered the shard.
func (g *Group) Entry(proto sipev.Transport, peer netip.AddrPort) (netip.AddrPort, bool) {
	l := g.port(&sip.Hop{Proto: proto, Remote: peer})
	if l == nil {
		return netip.AddrPort{}, false
	}
	at := l.bound()
	if at.Addr().IsUnspecified() {
		at = netip.AddrPortFrom(g.localFor(peer), at.Port())
	}
	return at, true
}
