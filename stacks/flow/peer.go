package flow

import (
	"net/netip"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// Peer is one end of a connection with its emulated TCP stack: flowev.Peer for handlers. It belongs
// to its stack's shard.
type Peer struct {
	conn    *Conn
	sent    stream
	extras  *extras // nil until one is needed
	pkts    uint64
	rexmits uint32
	window  uint32 // announced last, scaled
	mss     uint16
	state   state
	client  bool
	synSeen bool // its SYN, and so its options, were seen
	scales  bool // its SYN had a window scale
	// What of its handshake was sent, and what of that the other end got.
	synSent, synAckSent, synGot, synAckGot bool

	shift      uint8 // its window scale
	sideClosed bool  // side_closed was raised
	stopped    bool  // scripts want no event of this side
}

var _ flowev.Peer = (*Peer)(nil)

// ID returns the end's number: two a connection, the client's first.
func (p *Peer) ID() uint64 {
	if p.client {
		return 2*p.conn.id - 1
	}
	return 2 * p.conn.id
}

// Label returns "client of connection 17".
func (p *Peer) Label() string { return p.side().String() + " of " + p.conn.Label() }

// Ended reports whether the connection is over.
func (p *Peer) Ended() bool { return p.conn.ended }

// Slots returns where others attach data to this end.
func (p *Peer) Slots() *event.Slots { return &p.extra().slots }

// String returns the endpoint as netip prints it.
func (p *Peer) String() string { return p.Endpoint().String() }

// IP returns the address.
func (p *Peer) IP() netip.Addr { return p.conn.key.addr(p.client == p.conn.clientLow) }

// Port returns the port.
func (p *Peer) Port() uint16 { return p.conn.key.port(p.client == p.conn.clientLow) }

// Endpoint returns address and port; IPv4 as such, not mapped into IPv6.
func (p *Peer) Endpoint() netip.AddrPort {
	a, port, version := p.conn.key.endpoint(p.client == p.conn.clientLow)
	return netip.AddrPortFrom(a.Netip(version), port)
}

// State returns the state of the emulated stack.
func (p *Peer) State() flowev.TCPState { return p.state }

// ISN returns the initial sequence number, guessed where the SYN was not seen; 0 before anything of
// this end is known.
func (p *Peer) ISN() uint32 { return p.sent.isn }

// Bytes returns how many bytes this end sent in order, each counted once; those in gaps that were
// given up are not counted.
func (p *Peer) Bytes() uint64 { return p.sent.bytes() }

// Pkts returns how many packets this end sent.
func (p *Peer) Pkts() uint64 { return p.pkts }

// Rexmits returns how many packets repeated, wholly or in part, what had arrived; keep-alives and
// probes of a closed window are not counted.
func (p *Peer) Rexmits() uint64 { return uint64(p.rexmits) }

// Gaps returns how many ranges of this end's bytes are missing before bytes that were seen.
func (p *Peer) Gaps() uint64 { return uint64(p.sent.missing()) }

// Window returns the receive window in bytes that this end announced last.
func (p *Peer) Window() uint32 { return p.window }

// MSS returns the maximum segment size that this end announced, 0 for none.
func (p *Peer) MSS() uint16 { return p.mss }

func (p *Peer) side() flowev.Side {
	if p.client {
		return flowev.SideClient
	}
	return flowev.SideServer
}

// other returns the other end.
func (p *Peer) other() *Peer { return p.conn.peer(!p.client) }

// begin takes what the end's SYN says.
func (p *Peer) begin(isn uint32, o *packet.TCPOptions) {
	p.sent.begin(isn)
	p.synSeen = true
	p.mss, p.scales, p.shift = o.MSS, o.HasWScale, o.WScale
}

// announce takes a window field of this end and returns the window in bytes; syn says that it stood
// in a SYN, where it is not scaled (RFC 7323 section 2.2). Where a SYN was missed, the window
// returned is the largest that the field may mean.
func (p *Peer) announce(field uint16, syn bool) uint32 {
	o := p.other()
	p.window = uint32(field)
	switch {
	case syn:
		return uint32(field)
	case p.synSeen && o.synSeen:
		if p.scales && o.scales {
			p.window <<= p.shift
		}
		return p.window
	case p.synSeen && !p.scales, o.synSeen && !o.scales:
		return uint32(field)
	}
	return uint32(field) << 14
}
