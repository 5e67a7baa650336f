package flow

import (
	"time"

	"github.com/hookd/hookd/stacks/flow/fragment"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// Config is a stack's settings. A zero field means its default.
type Config struct {
	// MaxConns is how many connections and UDP and ICMP flows are kept; 1,000,000 by default. One more
	// evicts the one that was silent for longest in the first of these groups that has any:
	// TIME_WAIT; what a single forged packet makes, which is handshakes, UDP flows without an answer
	// and ICMP, of these the group that has most; UDP flows with answers; closing; established. So a
	// flood pushes out its own.
	MaxConns int
	// ReorderSide is how many bytes are held for one direction of a connection while bytes before
	// them are missing, in blocks of 2 KiB; 256 KiB by default, since what follows a lost segment is
	// a window full; at most 1 GiB. What finds no room stays a gap.
	ReorderSide int
	// ReorderTotal is the same for all connections together; 256 MiB by default.
	ReorderTotal int

	// Decap is the tunnels that are entered: a connection is then the one between the innermost
	// addresses. None by default, since a filter on the path decides on what it forwards.
	Decap packet.Tunnels
	// Fragments are the limits of putting IP datagrams together.
	Fragments fragment.Config
	// VerifyChecksums keeps what has a wrong checksum away from the stacks, as its receiver would drop
	// it; it raises orphan. Off by default: captures on a sending host have unfinished ones. Those that
	// look so pass anyway (packet.ChecksumPartial).
	VerifyChecksums bool

	// HandshakeTimeout ends a connection whose handshake is not finished and that was silent for so
	// long; 120 s by default, since a SYN is repeated up to 64 s after the last (Linux).
	HandshakeTimeout time.Duration
	// IdleTimeout ends a silent connection; 300 s by default.
	IdleTimeout time.Duration
	// CloseTimeout ends a silent connection of which both ends sent their FIN and one was not
	// acknowledged; 120 s by default. One FIN closes nothing: the other end may take its time.
	CloseTimeout time.Duration
	// TimeWait keeps a connection whose ends are both done for so long after its last packet, in
	// which late packets still belong to it. By default 0, as in mOS: it ends with the last ACK.
	TimeWait time.Duration

	// UDPTimeout ends a UDP flow that was silent for so long; 60 s by default, negative for never.
	UDPTimeout time.Duration
	// ICMPTimeout does the same for an ICMP query and its answers; 30 s by default, negative for never.
	ICMPTimeout time.Duration
}

// withDefaults returns c with its zero fields set.
func (c Config) withDefaults() Config {
	set(&c.MaxConns, 1_000_000)
	set(&c.ReorderSide, 256<<10)
	c.ReorderSide = min(c.ReorderSide, 1<<30)
	set(&c.ReorderTotal, 256<<20)
	set(&c.HandshakeTimeout, 120*time.Second)
	set(&c.IdleTimeout, 300*time.Second)
	set(&c.CloseTimeout, 120*time.Second)
	if c.UDPTimeout == 0 {
		c.UDPTimeout = 60 * time.Second
	}
	if c.ICMPTimeout == 0 {
		c.ICMPTimeout = 30 * time.Second
	}
	return c
}

func set[T int | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// Stats counts what a stack did since it was made. Every frame is in exactly one of NotIP,
// Malformed, Truncated, Orphans and TCP; what has no IP header that could be read raises nothing.
type Stats struct {
	Frames    uint64 // given to Frame
	NotIP     uint64 // no IP in it
	Malformed uint64 // no IP header could be read: it contradicts itself or the frame
	Truncated uint64 // no IP header could be read: the capture cut it off
	Orphans   uint64 // IP that belongs to no TCP connection
	TCP       uint64 // belong to a connection

	Datagrams  uint64 // of Orphans, those that belong to a UDP or ICMP flow
	ICMPErrors uint64 // of Orphans, those that quote a packet of a connection or flow

	Conns     uint64 // connections made, flows included
	UDPFlows  uint64 // of these, UDP flows
	ICMPFlows uint64 // of these, ICMP queries
	Ended     uint64 // connections and flows ended, for any reason
	Evicted   uint64 // of these, ended because MaxConns was reached
	Idle      uint64 // of these, ended by a timeout
	Reused    uint64 // of these, ended because another took their addresses
	CutLists  uint64 // lists of flow.conns that a limit kept from being whole

	BadChecksums uint64 // of Orphans, those that VerifyChecksums kept away

	OutWindow  uint64 // segments ignored: their bytes or FIN lie outside the receiver's window
	BadResets  uint64 // RSTs ignored: their sequence number is not plausible
	BadSYNs    uint64 // SYNs and SYN/ACKs ignored: they contradict the connection
	NotHeld    uint64 // segments that found no room to wait for the bytes before them
	Held, Peak int    // bytes of buffer in use now, and the most ever
	Open       int    // connections and flows now

	// Fragments is what became of IP fragments. Those that are held or refused are Orphans; the one
	// that makes a datagram whole counts as what the datagram is.
	Fragments fragment.Stats
}
