package packet

import "encoding/binary"

// TCP option kinds (IANA tcp-parameters).
const (
	optEnd       = 0
	optNop       = 1
	optMSS       = 2
	optWScale    = 3
	optSACKPerm  = 4
	optSACK      = 5
	optTimestamp = 8
)

// SACKBlock is one selectively acknowledged range of sequence numbers, Right excluded (RFC 2018).
type SACKBlock struct{ Left, Right uint32 }

// TCPOptions are the options of one segment. An option that occurs twice counts as its last.
type TCPOptions struct {
	// MSS is the maximum segment size in bytes, 0 if absent (RFC 9293 section 3.7.1).
	MSS uint16
	// HasWScale tells a shift of 0 from none; WScale is the window shift, at most 14 (RFC 7323
	// section 2.3 has a larger one read as 14).
	HasWScale bool
	WScale    uint8
	// SACKPermitted is the option of RFC 2018 section 2.
	SACKPermitted bool
	// HasTimestamps tells that TSVal and TSEcr are present (RFC 7323 section 3).
	HasTimestamps bool
	TSVal, TSEcr  uint32
	// SACKs is the number of valid SACK blocks.
	SACKs uint8
	SACK  [4]SACKBlock
	// Malformed reports an option with a length below 2, beyond the header or not its kind's; in
	// the first two cases those behind it were not read.
	Malformed bool
}

// TCPOptions reads the options of a TCP packet: those captured, of a header that the capture cut.
// It is kept out of Decode since few packets' options are ever looked at. The result is zero for
// other classes.
func (p *Packet) TCPOptions() TCPOptions {
	if p.Class != TCP {
		return TCPOptions{}
	}
	return parseTCPOptions(p.Data[p.L4Off+20 : p.PayloadOff])
}

// parseTCPOptions reads an options area.
func parseTCPOptions(b []byte) (o TCPOptions) {
	for len(b) > 0 {
		switch b[0] {
		case optEnd:
			return o
		case optNop:
			b = b[1:]
			continue
		}
		if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
			o.Malformed = true
			return o
		}
		if !o.add(b[0], b[2:b[1]]) {
			o.Malformed = true
		}
		b = b[b[1]:]
	}
	return o
}

// add takes one option with its value; false if the value's length is not the kind's. An unknown
// kind is skipped.
func (o *TCPOptions) add(kind byte, v []byte) bool {
	switch {
	case kind == optMSS && len(v) == 2:
		o.MSS = binary.BigEndian.Uint16(v)
	case kind == optWScale && len(v) == 1:
		o.HasWScale, o.WScale = true, min(v[0], 14)
	case kind == optSACKPerm && len(v) == 0:
		o.SACKPermitted = true
	case kind == optTimestamp && len(v) == 8:
		o.HasTimestamps = true
		o.TSVal, o.TSEcr = binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:])
	case kind == optSACK && len(v) > 0 && len(v)%8 == 0:
		o.SACKs = 0
		for ; len(v) > 0 && int(o.SACKs) < len(o.SACK); v = v[8:] {
			o.SACK[o.SACKs] = SACKBlock{binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:])}
			o.SACKs++
		}
	case kind == optMSS, kind == optWScale, kind == optSACKPerm, kind == optTimestamp, kind == optSACK:
		return false
	}
	return true
}
