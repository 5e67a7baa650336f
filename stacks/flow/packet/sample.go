package packet

import "encoding/binary"

// sflowPort is where reports go (https://sflow.org/sflow_version_5.txt).
const sflowPort = 6343

// Formats of what a report holds: samples of packets, the second with longer numbers, and their record that
// has a packet's first bytes.
const (
	flowSample     = 1
	expandedSample = 3
	rawHeader      = 1
)

// openReport begins with the packets that a report samples. Of the versions that exist the fifth is read, which
// has replaced the others since 2004.
func (in *Inside) openReport(p *Packet) bool {
	if p.Class != UDP || p.Decap&SFlow == 0 || p.DstPort != sflowPort && p.SrcPort != sflowPort {
		return false
	}
	b := p.Payload()
	size := 28 // version, the agent's address with its kind, sub-agent, number, uptime, how many samples
	if len(b) < size || binary.BigEndian.Uint32(b) != 5 {
		return false
	}
	switch binary.BigEndian.Uint32(b[4:]) {
	case 1:
	case 2: // an IPv6 address
		size += 12
	default:
		return false
	}
	if len(b) < size {
		return false
	}
	off := int(p.PayloadOff)
	in.outer = *p
	in.at, in.end = off+size, off+len(b)
	in.samples, in.records, in.sample = binary.BigEndian.Uint32(b[size-4:]), 0, in.at
	return true
}

// nextSample makes of p the next packet that is IP and of which a sample has the first bytes.
func (in *Inside) nextSample(p *Packet) bool {
	for {
		if in.records > 0 && in.at < in.sample { // however many the report claims
			in.records--
			if format, off, end := in.item(&in.at, in.sample); format == rawHeader && in.header(p, off, end) {
				return true
			}
			continue
		}
		if in.samples == 0 || in.sample >= in.end {
			*p = in.outer
			return false
		}
		in.samples--
		format, off, end := in.item(&in.sample, in.end)
		in.at = off
		in.openSample(format, in.outer.Data[off:end])
	}
}

// item reads the head of a sample or record at place at, which lies before limit: what it is, and where
// what follows its head begins and ends; at then is where the next one begins, limit if there is none.
func (in *Inside) item(at *int, limit int) (format uint32, off, end int) {
	off, end = min(*at+8, limit), limit
	if off-*at == 8 {
		head := in.outer.Data[*at:]
		format = binary.BigEndian.Uint32(head)
		end = off + min(int(binary.BigEndian.Uint32(head[4:])&^(1<<31)), limit-off)
	}
	*at = min((end-off+3)&^3+off, limit)
	return format, off, end
}

// openSample reads what stands before the records of a sample.
func (in *Inside) openSample(format uint32, b []byte) {
	in.records = 0 // the sample before may claim more than it had

	size := 32 // number, source, rate, pool, drops, the interfaces, how many records
	switch format {
	case flowSample:
	case expandedSample: // the source has two numbers, and so has each interface
		size += 12
	default: // counters, or of a vendor's own
		return
	}
	if len(b) < size {
		return
	}
	in.id = binary.BigEndian.Uint32(b[4:])
	if format == expandedSample {
		in.id = in.id<<24 | binary.BigEndian.Uint32(b[8:])&0xffffff // as the short form has it
	}
	in.records = binary.BigEndian.Uint32(b[size-4:])
	in.at += size
}

// header makes of p the packet whose first bytes the record off..end has; false if it is not IP.
func (in *Inside) header(p *Packet, off, end int) bool {
	if end-off < 16 {
		return false
	}
	b := in.outer.Data[off:]
	t, ok := sampledType(binary.BigEndian.Uint32(b))
	if !ok {
		return false
	}
	length, stripped, captured := binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[12:])
	off += 16
	have := min(int(captured&^(1<<31)), end-off)
	wire := have
	if n := int64(length) - int64(stripped); n > int64(have) && n <= 1<<16+1<<10 {
		wire = int(n)
	}
	*p = in.outer
	p.open(SFlow, in.id, t, off, off+wire, off+have)
	p.Sampled = true
	return p.IsIP()
}

// sampledType returns the EtherType that stands for a kind of header in samples.
func sampledType(kind uint32) (t uint16, ok bool) {
	switch kind {
	case 1:
		return typeEthernet, true
	case 7:
		return typePPP, true
	case 11:
		return typeIPv4, true
	case 12:
		return typeIPv6, true
	case 13:
		return typeMPLS, true
	}
	return 0, false
}
