package sniff

import (
	"net/netip"
	"slices"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// Config is what a finder looks for. Zero limits stand for those of [DefaultConfig].
type Config struct {
	// Live: what passes on interfaces is looked at too, not only captures.
	Live bool
	// Ports are those of SIP, whatever passes there.
	Ports []uint16
	// Elsewhere: SIP is known by its first line on other ports too.
	Elsewhere bool
	// Limits bound one message.
	Limits msg.Limits
	// MaxStreams bounds how many directions of connections are followed at once.
	MaxStreams int
	// MaxBuffered bounds the bytes of unfinished messages, of all connections together.
	MaxBuffered int
}

// DefaultConfig returns SIP's port, any other by content, and the limits.
func DefaultConfig() Config {
	return Config{
		Ports: []uint16{5060}, Elsewhere: true, Limits: msg.DefaultLimits(),
		MaxStreams: 20_000, MaxBuffered: 64 << 20,
	}
}

// Message is one that passed.
type Message struct {
	TS       int64 // event time
	From, To netip.AddrPort
	Proto    sipev.Transport // udp, tcp or ws
	Conn     uint64          // of tcp and ws, the flow's number
	Raw      []byte          // lent
	Cut      bool            // the capture has only its beginning
}

// Stats counts what a finder found and refused.
type Stats struct {
	Messages   uint64 // that were found
	Cut        uint64 // of these, only in part
	Other      uint64 // datagrams on SIP's ports, and messages of its WebSockets, that are none of it
	Packed     uint64 // messages of its WebSockets that are compressed, and so not read
	Unframed   uint64 // places in streams where no message could be told from the next
	Lost       uint64 // gaps in streams that held SIP
	Refused    uint64 // streams not followed since there are too many, or too much waits
	Streams    int    // that are followed
	Buffered   int    // bytes that wait for the rest of their message
	KeepAlives uint64
}

// Finder finds messages and gives them on.
type Finder struct {
	cfg     Config
	wanted  func(*event.Shard) bool
	pass    func(*event.Shard, *Message)
	streams map[streamKey]*stream
	stats   Stats
	m       Message
	scratch []byte // a frame's payload
}

// orDefaults fills in what is zero.
func (c Config) orDefaults() Config {
	d := DefaultConfig()
	if c.Limits == (msg.Limits{}) {
		c.Limits = d.Limits
	}
	if c.MaxStreams == 0 {
		c.MaxStreams = d.MaxStreams
	}
	if c.MaxBuffered == 0 {
		c.MaxBuffered = d.MaxBuffered
	}
	return c
}

// New returns a finder that gives each message to pass, lent. wanted is asked whether
// anybody wants them now.
func New(cfg Config, wanted func(*event.Shard) bool, pass func(*event.Shard, *Message)) *Finder {
	return &Finder{cfg: cfg.orDefaults(), wanted: wanted, pass: pass, streams: map[streamKey]*stream{}}
}

// Stats returns what was counted so far. The caller has entered the shard.
func (f *Finder) Stats() Stats {
	f.stats.Streams = len(f.streams)
	return f.stats
}

// Port reports whether a port is one of SIP's.
func (f *Finder) Port(port uint16) bool { return slices.Contains(f.cfg.Ports, port) }

// Wants implements flow.Reader.
func (f *Finder) Wants(sh *event.Shard) bool {
	if sh.Index() != 0 && sh.Set().Drive() == event.Apart {
		return false
	}
	return f.wanted(sh.Set().At(0))
}

// Datagram implements flow.Reader.
func (f *Finder) Datagram(sh *event.Shard, from, to netip.AddrPort, payload []byte, cut bool) {
	known := f.Port(from.Port()) || f.Port(to.Port())
	if !known && (!f.cfg.Elsewhere || !begins(payload)) {
		return
	}
	f.m = Message{From: from, To: to, Proto: sipev.TransportUDP, Cut: cut}
	f.whole(sh, payload)
}

// whole gives on what came alone, in a datagram or a WebSocket's message, if it is SIP. Line
// ends before it are skipped (RFC 3261, 7.5).
func (f *Finder) whole(sh *event.Shard, b []byte) {
	raw := skipLines(b)
	switch {
	case len(raw) == 0:
		f.stats.KeepAlives++
	case !begins(raw):
		f.stats.Other++
	default:
		f.m.Raw = raw
		f.found(sh)
	}
}

// found gives a message on.
func (f *Finder) found(sh *event.Shard) {
	f.stats.Messages++
	if f.m.Cut {
		f.stats.Cut++
	}
	f.m.TS = sh.Now()
	f.pass(sh.Set().At(0), &f.m)
	f.m.Raw = nil
}

// skipLines skips line ends.
func skipLines(b []byte) []byte {
	for len(b) != 0 && (b[0] == '\r' || b[0] == '\n') {
		b = b[1:]
	}
	return b
}

// ends returns the addresses of what an end of a connection sends.
func ends(c flowev.Conn, from flowev.Side) (netip.AddrPort, netip.AddrPort) {
	client, server := c.Client().Endpoint(), c.Server().Endpoint()
	if from == flowev.SideServer {
		return server, client
	}
	return client, server
}
