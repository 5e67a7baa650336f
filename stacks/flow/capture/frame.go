package capture

// MaxFrame is the largest captured length of one packet that a Reader accepts
// and a Writer writes, in bytes. It is the largest snapshot length that libpcap
// writes; a record that claims more is damage, not a packet.
const MaxFrame = 256 << 10

// Frame is one captured packet, lent: Data is valid until the next call of
// Reader.Next and must not be changed by who does not own the Reader.
type Frame struct {
	// Data holds the captured bytes, link-layer header first; at most MaxFrame.
	Data []byte
	// WireLen is the packet's length on the wire in bytes. It exceeds len(Data)
	// when the capture cut the packet short; files that say less than what they
	// hold exist, and are passed on as they are. At most math.MaxInt32.
	WireLen int
	// TS is the capture time in nanoseconds since the Unix epoch, whatever the
	// file's own unit and offset. It is 0 where the file has no time (pcapng
	// simple packets), and stops at the ends of the int64 range.
	TS int64
	// Link is the link type of the interface that captured the frame.
	Link LinkType
	// Iface is the interface's index within its pcapng section, 0 for pcap.
	Iface int
	// Comment is the first comment that a pcapng file has at the packet, nil for
	// none; lent as Data is.
	Comment []byte
}
