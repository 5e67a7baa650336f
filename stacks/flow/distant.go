package flow

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
)

// maxDistant is how many connections of other shards a stack remembers the handles of.
const maxDistant = 4096

// Distant is a connection or flow of another shard, where shards are driven apart: flowev.Conn as it
// was when it was looked for last. What is done to it is posted to its shard. It belongs to the shard
// that looked.
type Distant struct {
	home  *Stack
	conn  flowev.Conn // to be used in its shard only
	slots event.Slots

	id             uint64
	cid            string
	proto          flowev.Proto
	vlan, icmpID   uint16
	started        int64
	duration       time.Duration
	tags           tagSet
	ended          bool
	client, server DistantPeer
}

var (
	_ flowev.Conn = (*Distant)(nil)
	_ event.Away  = (*Distant)(nil)
	_ flowev.Peer = (*DistantPeer)(nil)
)

var errBusy = errors.New("flow: the connection is of another shard, for which too much waits")

// distant returns s's handle on a connection of another stack, which shows what it is now. The caller
// looks at that stack's shard.
func (s *Stack) distant(home *Stack, c flowev.Conn) *Distant {
	d := s.away[c.ID()]
	if d == nil {
		if s.away == nil || len(s.away) >= maxDistant {
			s.away = map[uint64]*Distant{}
		}
		d = &Distant{home: home}
		s.away[c.ID()] = d
	}
	d.conn = c
	d.id, d.cid, d.proto, d.ended = c.ID(), c.CID(), c.Proto(), c.Ended()
	d.vlan, d.icmpID, d.started, d.duration = c.VLAN(), c.ICMPID(), c.Started(), c.Duration()
	d.tags = append(d.tags[:0], c.Tags()...)
	d.client.copy(d, c.Client(), true)
	d.server.copy(d, c.Server(), false)
	return d
}

// Home implements [event.Away].
func (d *Distant) Home() (*event.Shard, event.Kept) { return d.home.sh, d.conn }

// ID returns the connection's number.
func (d *Distant) ID() uint64 { return d.id }

// Label returns "connection 17".
func (d *Distant) Label() string { return "connection " + strconv.FormatUint(d.id, 10) }

// Ended reports whether it was over when it was looked for.
func (d *Distant) Ended() bool { return d.ended }

// Slots returns where others attach data to this handle.
func (d *Distant) Slots() *event.Slots { return &d.slots }

// CID returns the Community ID.
func (d *Distant) CID() string { return d.cid }

// Proto returns the transport protocol.
func (d *Distant) Proto() flowev.Proto { return d.proto }

// Client returns the end that sent the first packet.
func (d *Distant) Client() flowev.Peer { return &d.client }

// Server returns the other end.
func (d *Distant) Server() flowev.Peer { return &d.server }

// VLAN returns the outermost VLAN id of the first packet, 0 for none.
func (d *Distant) VLAN() uint16 { return d.vlan }

// ICMPID returns the identifier of an ICMP query.
func (d *Distant) ICMPID() uint16 { return d.icmpID }

// Started returns the time of the first packet in nanoseconds since the epoch.
func (d *Distant) Started() int64 { return d.started }

// Duration returns the time from the first packet to the latest that was seen.
func (d *Distant) Duration() time.Duration { return d.duration }

// Tags returns the words on the connection, with what was done through this handle.
func (d *Distant) Tags() []string { return slices.Clone(d.tags) }

// Tagged reports whether word is among them.
func (d *Distant) Tagged(word string) bool { return d.tags.has(word) }

// Tag puts a word on the connection; in its own shard that happens a little later, unless it has
// ended by then.
func (d *Distant) Tag(_ *event.Caller, word string) error {
	if err := d.tags.add(word); err != nil {
		return err
	}
	return d.post(func(c flowev.Conn) { _ = c.Tag(nil, word) })
}

// Untag takes a word off the connection, as Tag puts it there.
func (d *Distant) Untag(_ *event.Caller, word string) error {
	d.tags.drop(word)
	return d.post(func(c flowev.Conn) { _ = c.Untag(nil, word) })
}

// Stop ends the events of a side, of both where none is given, a little later.
func (d *Distant) Stop(_ *event.Caller, side flowev.Side, hasSide bool) error {
	if _, _, err := sides(side, hasSide); err != nil {
		return err
	}
	return d.post(func(c flowev.Conn) { _ = c.Stop(nil, side, hasSide) })
}

// post has f called with the connection in its shard, if it is the same by then.
func (d *Distant) post(f func(flowev.Conn)) error {
	conn, id := d.conn, d.id
	if !d.home.sh.Post(func() {
		if conn.ID() == id && !conn.Ended() {
			f(conn)
		}
	}) {
		return errBusy
	}
	return nil
}

// DistantPeer is one end of a [Distant].
type DistantPeer struct {
	of     *Distant
	client bool
	slots  event.Slots

	end            netip.AddrPort
	state          flowev.TCPState
	isn, window    uint32
	bytes, pkts    uint64
	rexmits, holes uint64
	mss            uint16
}

func (p *DistantPeer) copy(of *Distant, from flowev.Peer, client bool) {
	slots := p.slots
	*p = DistantPeer{
		of: of, client: client, slots: slots, end: from.Endpoint(), state: from.State(), isn: from.ISN(), window: from.Window(),
		bytes: from.Bytes(), pkts: from.Pkts(), rexmits: from.Rexmits(), holes: from.Gaps(), mss: from.MSS(),
	}
}

// ID returns the end's number: two a connection, the client's first.
func (p *DistantPeer) ID() uint64 {
	if p.client {
		return 2*p.of.id - 1
	}
	return 2 * p.of.id
}

// Label returns "client of connection 17".
func (p *DistantPeer) Label() string {
	side := flowev.SideServer
	if p.client {
		side = flowev.SideClient
	}
	return side.String() + " of " + p.of.Label()
}

// Ended reports whether the connection was over.
func (p *DistantPeer) Ended() bool { return p.of.ended }

// Slots returns where others attach data to this handle.
func (p *DistantPeer) Slots() *event.Slots { return &p.slots }

// String returns the endpoint as netip prints it.
func (p *DistantPeer) String() string { return p.end.String() }

// IP returns the address.
func (p *DistantPeer) IP() netip.Addr { return p.end.Addr() }

// Port returns the port.
func (p *DistantPeer) Port() uint16 { return p.end.Port() }

// Endpoint returns address and port.
func (p *DistantPeer) Endpoint() netip.AddrPort { return p.end }

// State returns the state of the emulated stack.
func (p *DistantPeer) State() flowev.TCPState { return p.state }

// ISN returns the initial sequence number.
func (p *DistantPeer) ISN() uint32 { return p.isn }

// Bytes returns how many bytes the end had sent.
func (p *DistantPeer) Bytes() uint64 { return p.bytes }

// Pkts returns how many packets the end had sent.
func (p *DistantPeer) Pkts() uint64 { return p.pkts }

// Rexmits returns how many packets repeated what had arrived.
func (p *DistantPeer) Rexmits() uint64 { return p.rexmits }

// Gaps returns how many ranges of its bytes were missing.
func (p *DistantPeer) Gaps() uint64 { return p.holes }

// Window returns the receive window that was announced last.
func (p *DistantPeer) Window() uint32 { return p.window }

// MSS returns the maximum segment size that was announced.
func (p *DistantPeer) MSS() uint16 { return p.mss }

// Sent returns nil: the bytes are in another shard.
func (p *DistantPeer) Sent() flowev.Stream { return nil }
