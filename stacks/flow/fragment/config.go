package fragment

import "time"

// Config is a table's settings. A zero field means its default.
type Config struct {
	// Memory is how many bytes fragments that wait may use, with what keeps track of them; 4 MiB by
	// default, as Linux has it, and at least 128 KiB, the room that one datagram may need. Where it is
	// used up the datagram that has waited for longest is given up: a flood of fragments so pushes
	// itself out, while the fragments of an honest datagram follow each other closely. The buffer of
	// the datagram that is lent, 66 KiB, comes on top.
	Memory int
	// Datagrams is how many incomplete datagrams are kept; 1,024 by default. One more pushes out the
	// one that has waited for longest.
	Datagrams int
	// Timeout gives an incomplete datagram up so long after its first fragment came; 30 s by default,
	// as Linux has it for IPv4.
	Timeout time.Duration
	// Overlap is the policy for fragments that overlap; OverlapBSD by default.
	Overlap Overlap
	// ReadCut reads a first fragment of which the capture has only a part as the packet that it begins, as
	// Wireshark does. It is put together with others in no case, so that its datagram will not get whole
	// unless it comes again.
	ReadCut bool
}

// minMemory is enough for one datagram of the largest size and a header in a block of its own.
const minMemory = 128 << 10

// WithDefaults returns c with its zero fields set.
func (c Config) WithDefaults() Config {
	if c.Memory <= 0 {
		c.Memory = 4 << 20
	}
	c.Memory = max(c.Memory, minMemory)
	if c.Datagrams <= 0 {
		c.Datagrams = 1024
	}
	if c.Timeout <= 0 {
		c.Timeout = 30 * time.Second
	}
	return c
}

// Stats counts what a table did since it was made. Every fragment is in exactly one of Taken,
// Duplicates, Cut, Empty, Misaligned, Contradicting, LongHeaders, Late and Nested.
type Stats struct {
	Fragments     uint64 // given to the table
	Taken         uint64 // brought bytes that were not there
	Duplicates    uint64 // brought none; by Overlap, their values may hold all the same
	Cut           uint64 // refused: the capture or the frame holds only a part of them
	Empty         uint64 // refused: without a byte
	Misaligned    uint64 // refused: more follow, and an IPv6 fragment's length is no multiple of 8
	Contradicting uint64 // refused: they say that the datagram ends elsewhere
	LongHeaders   uint64 // refused: over 2 KiB of headers before the fragment
	Late          uint64 // refused: their datagram was given up for an overlap
	Nested        uint64 // refused: made of fragments of fragments, more than 4 deep

	Read      uint64 // of those cut, read as what they begin
	Overlaps  uint64 // fragments, of those taken or late, that brought also bytes that were there
	Conflicts uint64 // fragments with other values for bytes that were there; Overlap says which hold
	Trimmed   uint64 // IPv4 fragments of odd length that more follow: cut to a multiple of 8, as Linux does

	Datagrams uint64 // datagrams begun
	Whole     uint64 // of these, put together
	TimedOut  uint64 // of these, given up after Timeout
	Evicted   uint64 // of these, pushed out by others
	Discarded uint64 // of these, given up for an overlap; each is TimedOut or Evicted as well, later
	TooLong   uint64 // of these, given up because they would have over 65,535 bytes

	Open       int // datagrams that wait now
	Held, Peak int // bytes of Memory in use now, and the most ever
}
