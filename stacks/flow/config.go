package flow

import (
	"math"
	"net/netip"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow/fragment"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// Config is a stack's settings. A zero field means its default.
type Config struct {
	// MaxConns is how many connections and UDP and ICMP flows are kept; 1,000,000 by default. One more
	// evicts the one that was silent for longest in the first of these groups that has any:
	// TIME_WAIT; reset; what a single forged packet makes, which is handshakes, UDP flows without an
	// answer and ICMP, of these the group that has most; cut; UDP flows with answers; closing;
	// established. So a flood pushes out its own.
	MaxConns int
	// ReorderSide is how many bytes are held for one direction of a connection while bytes before
	// them are missing, in blocks of 2 KiB; 256 KiB by default, since what follows a lost segment is
	// a window full; at most 1 GiB. When more comes, the missing ones are given up: a gap.
	ReorderSide int
	// ReorderTotal is the same for all connections together; 256 MiB by default.
	ReorderTotal int
	// BufferSide is how many of the latest bytes in order are kept for one direction of a connection
	// while streams are wanted, in blocks of 2 KiB, and one packet more; 64 KiB by default, at most
	// 1 GiB.
	BufferSide int
	// BufferTotal is the same for all connections together, and never exceeded; 256 MiB by default.
	BufferTotal int
	// Storage is where the bytes of frames stay, so that what streams keep need not be copied; nil for
	// nowhere. Limits count the same with it.
	Storage Storage

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
	// With PickUp, 60 s by default: late packets are no new connection.
	TimeWait time.Duration

	// UDPTimeout ends a UDP flow that was silent for so long; 60 s by default, negative for never.
	UDPTimeout time.Duration
	// ICMPTimeout does the same for an ICMP query and its answers; 30 s by default, negative for never.
	ICMPTimeout time.Duration

	// ResetLinger keeps a connection for so long after its last packet when a RST closed it: what
	// was under way then, and what ends send that did not heed the RST, still belongs to it and is
	// read. By default 0, as in mOS: it ends with the RST, and no end reads what comes behind. With
	// PickUp, 5 s by default.
	ResetLinger time.Duration
	// CutLinger is for how long after its last packet a connection that rules cut is remembered, so
	// that what it still sends is swallowed; 120 s by default.
	CutLinger time.Duration
	// GapWait is how long bytes are waited for that their receiver acknowledged and the capture has
	// not shown; 20 ms by default, since captures hold packets of the two directions in the wrong
	// order. Then they are given up, with the next packet of the connection. Less than 0 is no time
	// at all.
	GapWait time.Duration

	// WindowSlack is how many bytes beyond a window a segment may lie and still be taken; 64 KiB by
	// default, since a capture may have missed that a window grew. What is beyond that is ignored
	// (error.out_of_window) until the other end acknowledges bytes there.
	WindowSlack int
	// MaxJump is by how many bytes the numbers of a stream may jump where both ends say that they did: over
	// what a capture missed, or to the second of two SYN/ACKs that the client acknowledges. By default
	// 2 GiB, which is any jump; with less, such numbers are ignored as those are that one end alone speaks
	// of, and as Wireshark ignores a second SYN/ACK.
	MaxJump int

	// PickUp makes a connection of packets whose start was not seen.
	PickUp bool
	// RST says which RSTs count.
	RST RSTMode
	// ClientOverlap and ServerOverlap say which copy of a byte holds that the client, the server
	// sends twice.
	ClientOverlap, ServerOverlap Overlap
	// Overlaps, where set, is asked for each new connection, with what holds otherwise for what its
	// client and its server send, and returns what holds; and whether rules disagree about that.
	Overlaps func(sh *event.Shard, c flowev.Conn, client, server Overlap) (Overlap, Overlap, bool)
	// Verdicts says what becomes of what rules decide.
	Verdicts VerdictMode
	// Blocks is what no packet passes from or to. The stacks of a process share one; by default a stack
	// has its own, for MaxBlocks prefixes (100,000 by default) but those that meet NeverBlock.
	Blocks     *Blocks
	MaxBlocks  int
	NeverBlock []netip.Prefix
	// Reader, where set, reads what flows and connections carry.
	Reader Reader
	// First, where set, says of which ports everything belongs to the first stack, for a Reader that is
	// there alone.
	First func(port uint16) bool
	// Send, where set, sends a packet that a script made; the frame is lent. Without it there is no way.
	Send func(*Outcome) error
	// Forward, where set, learns what became of every frame, and gets those that the stack makes.
	Forward func(*Outcome)
}

// RSTMode says which RSTs end a connection.
type RSTMode uint8

// The ways of looking at a RST.
const (
	// RSTWindow takes one in the receiver's window and not in its past (RFC 9293 section 3.10.7.4).
	RSTWindow RSTMode = iota
	// RSTExact takes one of the very number that the receiver waits for (RFC 5961 section 3.2), as
	// Linux does; the answer to another one, a challenge ACK, brings it.
	RSTExact
	// RSTAny takes all, as mOS does.
	RSTAny
)

// Overlap says which copy holds of bytes that are sent twice.
type Overlap uint8

// The overlap policies. Bytes that new_data brought do not change for its readers; with OverlapLast
// they change for those who read the stream later.
const (
	OverlapFirst Overlap = iota
	OverlapLast
)

// VerdictMode says what becomes of what rules decide.
type VerdictMode uint8

// The verdict modes.
const (
	// Record follows the capture, whatever rules decide.
	Record VerdictMode = iota
	// Apply does as rules decide: a dropped packet does not reach the receiver, nor does any of a
	// connection that was cut.
	Apply
)

// withDefaults returns c with its zero fields set.
func (c Config) withDefaults() Config {
	set(&c.MaxConns, 1_000_000)
	set(&c.ReorderSide, 256<<10)
	c.ReorderSide = min(c.ReorderSide, 1<<30)
	set(&c.ReorderTotal, 256<<20)
	set(&c.BufferSide, 64<<10)
	c.BufferSide = min(c.BufferSide, 1<<30)
	set(&c.BufferTotal, 256<<20)
	set(&c.HandshakeTimeout, 120*time.Second)
	set(&c.IdleTimeout, 300*time.Second)
	set(&c.CloseTimeout, 120*time.Second)
	if c.UDPTimeout == 0 {
		c.UDPTimeout = 60 * time.Second
	}
	if c.ICMPTimeout == 0 {
		c.ICMPTimeout = 30 * time.Second
	}
	set(&c.CutLinger, 120*time.Second)
	set(&c.WindowSlack, slack)
	set(&c.MaxJump, math.MaxInt32)
	set(&c.MaxBlocks, defaultMaxBlocks)
	if c.Blocks == nil {
		c.Blocks = NewBlocks(c.MaxBlocks, c.NeverBlock...)
	}
	if c.PickUp {
		set(&c.TimeWait, time.Minute)
		set(&c.ResetLinger, 5*time.Second)
	}
	if c.GapWait == 0 {
		c.GapWait = 20 * time.Millisecond
	}
	return c
}

func set[T int | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}
