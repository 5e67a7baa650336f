package packet

// ErrorKind names the contradiction that made a frame Malformed.
type ErrorKind uint8

// The kinds of contradiction. OK is none.
const (
	OK ErrorKind = iota
	// ErrLinkShort is a frame shorter than its link header.
	ErrLinkShort
	// ErrVLANDepth is a frame with more than maxVLANs tags.
	ErrVLANDepth
	// ErrIPShort is a frame too short for the fixed IP header.
	ErrIPShort
	// ErrIPVersion is an IP header whose version is not the one that the link header announced.
	ErrIPVersion
	// ErrIPHeaderLen is an IPv4 header length below 20 bytes or beyond the total length.
	ErrIPHeaderLen
	// ErrIPBeyondFrame is an IP length beyond the end of the frame on the wire. A receiver would
	// drop it; captures written by tools have it where the original length was lost, so the
	// packet is decoded and its payload counts as cut. Beyond the end of a PPPoE payload it is
	// Malformed.
	ErrIPBeyondFrame
	// ErrExtHeader is an extension header that ends beyond the IP payload.
	ErrExtHeader
	// ErrExtDepth is a chain of more than maxExtHeaders extension headers.
	ErrExtDepth
	// ErrFragment is a fragment that ends beyond the 65,535 bytes that a datagram may have.
	ErrFragment
	// ErrTCPShort is an IP payload too short for a TCP header.
	ErrTCPShort
	// ErrTCPDataOffset is a TCP data offset below 5 words or beyond the IP payload.
	ErrTCPDataOffset
	// ErrUDPShort is an IP payload too short for a UDP header.
	ErrUDPShort
	// ErrUDPLen is a UDP length below 8 or beyond the IP payload.
	ErrUDPLen
	// ErrLinkDepth is a frame with more than maxLinks MPLS labels, or tags other than VLAN's.
	ErrLinkDepth
)

var errorNames = [...]string{
	OK:               "ok",
	ErrLinkShort:     "frame shorter than its link header",
	ErrVLANDepth:     "too many vlan tags",
	ErrIPShort:       "frame too short for an ip header",
	ErrIPVersion:     "ip version differs from the link header",
	ErrIPHeaderLen:   "ip header length out of range",
	ErrIPBeyondFrame: "ip length beyond the frame",
	ErrExtHeader:     "extension header beyond the packet",
	ErrExtDepth:      "too many extension headers",
	ErrFragment:      "fragment beyond 65535 bytes",
	ErrTCPShort:      "packet too short for a tcp header",
	ErrTCPDataOffset: "tcp data offset out of range",
	ErrUDPShort:      "packet too short for a udp header",
	ErrUDPLen:        "udp length out of range",
	ErrLinkDepth:     "too many link headers",
}

// String returns the kind in words.
func (k ErrorKind) String() string {
	if int(k) < len(errorNames) {
		return errorNames[k]
	}
	return "invalid"
}

// short ends decoding at a header of which need bytes, counted from the frame's start, are not
// there: the capture's fault if the wire had them, else the frame's.
func (p *Packet) short(need int, off int, kind ErrorKind) {
	p.ErrOff = uint32(off)
	if need <= p.WireLen {
		p.Class = Truncated
		return
	}
	p.Class, p.Err = Malformed, kind
}

// bad ends decoding at a header that contradicts itself or the frame.
func (p *Packet) bad(off int, kind ErrorKind) {
	p.Class, p.Err, p.ErrOff = Malformed, kind, uint32(off)
}
