package flow

import (
	"github.com/hookd/hookd/stacks/flow/fragment"
	"github.com/hookd/hookd/stacks/flow/ipcomp"
)

// Stats counts what a stack did since it was made. Every frame, and every further packet in one, is in
// exactly one of NotIP, Malformed, Truncated, Orphans, TCP, Swallowed and Blocked; what has no IP header that
// could be read raises nothing.
type Stats struct {
	Frames    uint64 // given to Frame
	Inside    uint64 // packets that frames carry beyond one: samples, and those of aggregates
	NotIP     uint64 // no IP in it, or none that can be found
	Malformed uint64 // no IP header could be read: it contradicts itself or the frame
	Truncated uint64 // no IP header could be read: the capture cut it off
	Orphans   uint64 // IP that belongs to no TCP connection
	TCP       uint64 // belong to a connection
	Swallowed uint64 // belong to a connection that was cut

	// UnknownLinks counts, of NotIP, frames of a link type that is not read; UnknownLink is the first such type.
	UnknownLinks uint64
	UnknownLink  uint16 `metrics:"-"`

	Datagrams  uint64 // of Orphans, those that belong to a UDP or ICMP flow
	ICMPErrors uint64 // of Orphans, those that quote a packet of a connection or flow
	// BadChecksums counts, of Orphans, those that VerifyChecksums kept away.
	BadChecksums uint64
	CutLists     uint64 // lists of flow.conns that a limit kept from being whole

	Conns      uint64 // connections made, flows included
	UDPFlows   uint64 // of these, UDP flows
	ICMPFlows  uint64 // of these, ICMP queries
	Adopted    uint64 // of these, picked up without their start
	Ended      uint64 // connections ended, for any reason
	Evicted    uint64 // of these, ended because MaxConns was reached
	Idle       uint64 // of these, ended by a timeout
	Reused     uint64 // of these, ended because another took their addresses
	Cut        uint64 // of these, ended because rules cut them
	OutWindow  uint64 // segments ignored: their bytes or FIN lie outside the receiver's window
	BadResets  uint64 // RSTs ignored: their sequence number is not plausible
	BadSYNs    uint64 // SYNs and SYN/ACKs ignored: they contradict the connection
	Open       int    // connections and flows now
	Remembered int    // connections that were cut and still swallow what they send

	OverlapDisputes uint64 // connections of which rules want different copies of bytes to hold

	Gaps     uint64 // ranges given up
	GapBytes uint64 // bytes in them
	NotHeld  uint64 // of the gaps, those given up because too much waited behind them
	Slid     uint64 // bytes that left a full buffer, or found it full

	Held, Peak int // bytes of buffer in use now behind holes, and the most ever
	Kept       int // bytes of buffer in use now for streams
	// Unread counts bytes of streams that could not be read again where they were noted: the capture was
	// cut short meanwhile, or its disk fails.
	Unread uint64

	// Fragments is what became of IP fragments. Those that are held or refused are Orphans; the one
	// that makes a datagram whole counts as what the datagram is.
	Fragments fragment.Stats
	// Compressed is what became of compressed datagrams, where they are inflated. Those that cannot be are
	// Orphans.
	Compressed ipcomp.Stats

	// Blocked counts frames from or to a blocked prefix. Where verdicts are applied they are in none of
	// the kinds above.
	Blocked uint64
	Blocks  BlockStats
	Sent    uint64 // packets that scripts sent
	Unsent  uint64 // packets that scripts could not send

	Stopped     uint64 // frames that did not pass
	Dropped     uint64 // of these, but for those that were swallowed: connections' and orphans
	Replaced    uint64 // frames that rules changed; those that two hook points changed count twice
	NotReplaced uint64 // frames that could not be changed as rules said, and did not pass
	Conflicts   uint64 // fields that a second rule would have replaced otherwise
	// AliasesTaken counts connections that rules gave the same addresses and ports as another that
	// goes on: answers are taken for the other's.
	AliasesTaken uint64
	Injected     uint64 // RSTs made
	NotInjected  uint64 // RSTs that could not be made: a link header that is not known well enough
}

// add adds what another stack counted of its own.
func (st *Stats) add(o *Stats) {
	for _, n := range [...]struct{ to, from *uint64 }{
		{&st.Frames, &o.Frames},
		{&st.Inside, &o.Inside},
		{&st.NotIP, &o.NotIP},
		{&st.UnknownLinks, &o.UnknownLinks},
		{&st.Malformed, &o.Malformed},
		{&st.Truncated, &o.Truncated},
		{&st.Orphans, &o.Orphans},
		{&st.TCP, &o.TCP},
		{&st.Swallowed, &o.Swallowed},
		{&st.Datagrams, &o.Datagrams},
		{&st.ICMPErrors, &o.ICMPErrors},
		{&st.Blocked, &o.Blocked},
		{&st.Sent, &o.Sent},
		{&st.Unsent, &o.Unsent},
		{&st.Replaced, &o.Replaced},
		{&st.NotReplaced, &o.NotReplaced},
		{&st.AliasesTaken, &o.AliasesTaken},
		{&st.OverlapDisputes, &o.OverlapDisputes},
		{&st.Conflicts, &o.Conflicts},
		{&st.BadChecksums, &o.BadChecksums},
		{&st.CutLists, &o.CutLists},
		{&st.Conns, &o.Conns},
		{&st.UDPFlows, &o.UDPFlows},
		{&st.ICMPFlows, &o.ICMPFlows},
		{&st.Adopted, &o.Adopted},
		{&st.Ended, &o.Ended},
		{&st.Evicted, &o.Evicted},
		{&st.Idle, &o.Idle},
		{&st.Reused, &o.Reused},
		{&st.Cut, &o.Cut},
		{&st.OutWindow, &o.OutWindow},
		{&st.BadResets, &o.BadResets},
		{&st.BadSYNs, &o.BadSYNs},
		{&st.Gaps, &o.Gaps},
		{&st.GapBytes, &o.GapBytes},
		{&st.NotHeld, &o.NotHeld},
		{&st.Slid, &o.Slid},
		{&st.Unread, &o.Unread},
		{&st.Stopped, &o.Stopped},
		{&st.Dropped, &o.Dropped},
		{&st.Injected, &o.Injected},
		{&st.NotInjected, &o.NotInjected},
	} {
		*n.to += *n.from
	}
	if st.UnknownLink == 0 { // BSD's loopback, which is read
		st.UnknownLink = o.UnknownLink
	}
	st.Open += o.Open
	st.Remembered += o.Remembered
}
