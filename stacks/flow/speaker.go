package flow

import (
	"net/netip"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
)

// Speaker is one end of an [Exchange]: flowev.Peer for handlers, with zeros for what only TCP has. It
// belongs to its stack's shard.
type Speaker struct {
	of     *Exchange
	bytes  uint64
	pkts   uint64
	slots  event.Slots
	client bool
	// stopped: scripts want no event of this side.
	stopped bool
}

var _ flowev.Peer = (*Speaker)(nil)

// ID returns the end's number: two a connection, the client's first.
func (p *Speaker) ID() uint64 {
	if p.client {
		return 2*p.of.id - 1
	}
	return 2 * p.of.id
}

// Label returns "client of connection 17".
func (p *Speaker) Label() string { return p.side().String() + " of " + p.of.Label() }

// Ended reports whether the flow is over.
func (p *Speaker) Ended() bool { return p.of.ended }

// Slots returns where others attach data to this end.
func (p *Speaker) Slots() *event.Slots { return &p.slots }

// String returns the endpoint as netip prints it.
func (p *Speaker) String() string { return p.Endpoint().String() }

// IP returns the address.
func (p *Speaker) IP() netip.Addr { return p.Endpoint().Addr() }

// Port returns the port, 0 for ICMP.
func (p *Speaker) Port() uint16 { return p.Endpoint().Port() }

// Endpoint returns address and port; IPv4 as such, not mapped into IPv6.
func (p *Speaker) Endpoint() netip.AddrPort {
	a, port, version := p.of.key.endpoint(p.client == p.of.clientLow)
	if p.of.ipProto() != protoUDP {
		port = 0
	}
	return netip.AddrPortFrom(a.Netip(version), port)
}

// Bytes returns how many bytes of payload this end sent: what the headers say, behind those of UDP or
// the first 8 bytes of ICMP.
func (p *Speaker) Bytes() uint64 { return p.bytes }

// Pkts returns how many packets this end sent.
func (p *Speaker) Pkts() uint64 { return p.pkts }

// State returns CLOSED.
func (p *Speaker) State() flowev.TCPState { return closed }

// ISN returns 0.
func (p *Speaker) ISN() uint32 { return 0 }

// Rexmits returns 0: datagrams are not numbered.
func (p *Speaker) Rexmits() uint64 { return 0 }

// Gaps returns 0: datagrams are not numbered.
func (p *Speaker) Gaps() uint64 { return 0 }

// Window returns 0.
func (p *Speaker) Window() uint32 { return 0 }

// MSS returns 0.
func (p *Speaker) MSS() uint16 { return 0 }

func (p *Speaker) side() flowev.Side {
	if p.client {
		return flowev.SideClient
	}
	return flowev.SideServer
}

// Sent returns nil: datagrams are no stream.
func (p *Speaker) Sent() flowev.Stream { return nil }
