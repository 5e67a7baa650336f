package packet

import "encoding/binary"

// Inside goes through packets that one packet carries side by side, as far as its Decap has them: those that a
// report samples (SFlow), and those of a radio frame that is an aggregate (WLAN). Decode makes one packet of a
// frame, and leaves such closed. So does Inside what lies in that way in what it goes through: there are
// never more than bytes allow, one for each 42.
//
// The zero value is ready, and is used again from packet to packet.
type Inside struct {
	outer   Packet
	id      uint32 // of the tunnel
	at, end int    // what is not read yet of outer.Data

	// Of a report: how many samples follow, and of the sample at hand how many records, and where it ends.
	samples, records uint32
	sample           int
}

// Open reports whether p, decoded or put together, carries packets side by side. Then p is the first packet that
// is to be looked at: of an aggregate, which exists but for what is in it, the first that is IP; a
// report is a datagram of its own, so p stays that, and what it samples follows. What p was stays p's Data.
func (in *Inside) Open(p *Packet) bool {
	return p.Decap&(WLAN|SFlow) != 0 && in.open(p)
}

func (in *Inside) open(p *Packet) bool {
	return p.TunnelDepth < maxTunnels && (in.openReport(p) || in.openAggregate(p))
}

// Next makes of p the next packet; false if there is none, p then is what it was before Open.
func (in *Inside) Next(p *Packet) bool {
	if in.Samples() {
		return in.nextSample(p)
	}
	return in.nextSubframe(p)
}

// Samples reports whether what follows the first packet, that is a report, are samples.
func (in *Inside) Samples() bool { return in.outer.Class == UDP }

// openAggregate begins with the packets of a radio frame.
func (in *Inside) openAggregate(p *Packet) bool {
	if p.Class != OtherIP || p.Proto != protoGRE || p.Decap&WLAN == 0 {
		return false
	}
	b := p.Payload()
	g, ok := readGRE(b)
	if !ok || !radioType(g.carries) {
		return false
	}
	size, aggregate, ok := readRadio(b[g.size:])
	if !ok || !aggregate {
		return false
	}
	off := int(p.PayloadOff)
	in.outer, in.id = *p, g.key
	in.at, in.end = off+g.size+size, off+int(p.PayloadCap)
	return in.nextSubframe(p)
}

// nextSubframe makes of p the next packet of an aggregate that is IP: addresses, a length, and LLC, up to a
// multiple of four bytes (IEEE 802.11-2020 section 9.3.2.2.2).
func (in *Inside) nextSubframe(p *Packet) bool {
	const header = 14
	wire := int(in.outer.PayloadOff + in.outer.PayloadLen)
	for in.at+header <= in.end {
		off := in.at + header
		n := int(binary.BigEndian.Uint16(in.outer.Data[off-2:]))
		in.at += (header + n + 3) &^ 3
		*p = in.outer
		if p.open(WLAN, in.id, typeLLC, off, min(off+n, wire), min(off+n, in.end)); p.IsIP() {
			return true
		}
	}
	*p = in.outer
	return false
}
