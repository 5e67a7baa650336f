package flow

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// lentPacket is the packet that handlers get: flowev.Packet over the stack's one decoded frame.
type lentPacket struct{ p packet.Packet }

var _ flowev.Packet = (*lentPacket)(nil)

func (l *lentPacket) TS() int64        { return l.p.TS }
func (l *lentPacket) Len() uint32      { return uint32(l.p.WireLen) }
func (l *lentPacket) Caplen() uint32   { return uint32(len(l.p.Data)) }
func (l *lentPacket) VLAN() uint16     { return l.p.VLAN }
func (l *lentPacket) IPVersion() uint8 { return l.p.IPVersion }
func (l *lentPacket) Src() netip.Addr  { return l.p.Src.Netip(l.p.IPVersion) }
func (l *lentPacket) Dst() netip.Addr  { return l.p.Dst.Netip(l.p.IPVersion) }
func (l *lentPacket) Proto() uint8     { return l.p.Proto }
func (l *lentPacket) TTL() uint8       { return l.p.TTL }
func (l *lentPacket) Fragment() bool   { return l.p.Class == packet.Fragment || l.p.FragMore }
func (l *lentPacket) Seq() uint32      { return l.p.Seq }
func (l *lentPacket) Ack() uint32      { return l.p.Ack }
func (l *lentPacket) Flags() uint8     { return uint8(l.p.TCPFlags) }
func (l *lentPacket) Window() uint16   { return l.p.Window }
func (l *lentPacket) SrcPort() uint16  { return l.p.SrcPort }
func (l *lentPacket) DstPort() uint16  { return l.p.DstPort }

func (l *lentPacket) PayloadLen() uint32 { return l.p.PayloadLen }
func (l *lentPacket) Payload() []byte    { return l.p.Payload() }

func (l *lentPacket) Has(flag flowev.TCPFlag) bool { return l.p.TCPFlags&(1<<flag) != 0 }

// lentData is the bytes that a packet made readable: flowev.Data.
type lentData struct {
	from   flowev.Side
	offset uint64
	bytes  []byte
}

var _ flowev.Data = (*lentData)(nil)

func (d *lentData) From() flowev.Side { return d.from }
func (d *lentData) Len() uint32       { return uint32(len(d.bytes)) }
func (d *lentData) Offset() uint64    { return d.offset }

func (d *lentData) Peek(n uint32, hasN bool) []byte {
	if !hasN || uint64(n) > uint64(len(d.bytes)) {
		return d.bytes
	}
	return d.bytes[:n]
}

func (d *lentData) Starts(text []byte) bool { return bytes.HasPrefix(d.bytes, text) }

func (d *lentData) Find(text []byte) (at int64, hasAt bool) {
	i := bytes.Index(d.bytes, text)
	return int64(i), i >= 0
}

func (d *lentData) U8(at uint32) (value uint8, hasValue bool) {
	if b := d.at(at, 1); b != nil {
		return b[0], true
	}
	return 0, false
}

func (d *lentData) U16(at uint32) (value uint16, hasValue bool) {
	if b := d.at(at, 2); b != nil {
		return binary.BigEndian.Uint16(b), true
	}
	return 0, false
}

func (d *lentData) U32(at uint32) (value uint32, hasValue bool) {
	if b := d.at(at, 4); b != nil {
		return binary.BigEndian.Uint32(b), true
	}
	return 0, false
}

// at returns the bytes from place at, nil unless there are n of them.
func (d *lentData) at(at uint32, n int) []byte {
	if uint64(at)+uint64(n) > uint64(len(d.bytes)) {
		return nil
	}
	return d.bytes[at:]
}
