package flow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/engine/event/plain"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// ErrCannotSend is returned by [Stack.Send] where packets come from a file, or nobody takes them.
var ErrCannotSend = errors.New("this source cannot send")

// outgoing is a packet that a script describes.
type outgoing struct {
	proto    flowev.Proto
	src, dst netip.AddrPort
	flags    packet.Flags
	seq, ack uint32
	window   uint16
	kind     uint8
	code     uint8
	rest     uint32
	ttl      uint8
	id       uint16
	payload  []byte
	frame    []byte
	link     uint16
	has      map[string]bool
}

// Send implements [flowev.Functions].
func (s *Stack) Send(c *event.Caller, what any) error {
	if c != nil && c.Observe {
		s.stats.Unsent++
		return errors.New("flow.send: the rule only observes")
	}
	if s.cfg.Send == nil {
		s.stats.Unsent++
		return fmt.Errorf("flow.send: %w", ErrCannotSend)
	}
	o := Outcome{Action: Injected, TS: s.sh.Now()}
	var err error
	switch v := what.(type) {
	case *lentPacket:
		o.Link, o.Data = v.p.Link, v.p.Data
	case []event.KV:
		o.Link, o.Data, err = s.build(v)
	default:
		err = fmt.Errorf("a packet or a table expected, got %s", plain.Describe(what))
	}
	if err == nil && len(o.Data) == 0 {
		err = errors.New("there is nothing to send")
	}
	if err == nil {
		o.WireLen = len(o.Data)
		err = s.cfg.Send(&o)
	}
	if err != nil {
		s.stats.Unsent++
		return fmt.Errorf("flow.send: %w", err)
	}
	s.stats.Sent++
	return nil
}

// build makes a frame of what a table says. It has the link header of the packet at hand where that
// runs between the same addresses, and else starts at IP.
func (s *Stack) build(fields []event.KV) (link uint16, frame []byte, err error) {
	g, err := readOutgoing(fields)
	if err != nil {
		return 0, nil, err
	}
	if g.frame != nil {
		return g.link, g.frame, nil
	}
	link, b := s.linkFor(&g)
	upper := g.upper()
	if len(upper)+ipv6Header > math.MaxUint16 {
		return 0, nil, fmt.Errorf("%d bytes are too many for a packet", len(upper))
	}
	return link, g.appendTo(b, upper), nil
}

// linkFor returns the link header to send with.
func (s *Stack) linkFor(g *outgoing) (link uint16, b []byte) {
	p := &s.pkt.p
	b = s.made[:0]
	if p.Data == nil || p.TunnelDepth > 0 || !p.IsIP() {
		return packet.LinkRaw, b
	}
	src, dst := p.Src.Netip(p.IPVersion), p.Dst.Netip(p.IPVersion)
	same := src == g.src.Addr() && dst == g.dst.Addr()
	back := src == g.dst.Addr() && dst == g.src.Addr()
	if with, ok := appendLink(b, p, back); ok && (same || back) {
		return p.Link, with
	}
	return packet.LinkRaw, b
}

// upper makes what follows the IP header, with its checksum.
func (g *outgoing) upper() []byte {
	var b []byte
	sum := -1
	proto := g.ipProto()
	switch g.proto {
	case flowev.ProtoUDP:
		b = binary.BigEndian.AppendUint16(b, g.src.Port())
		b = binary.BigEndian.AppendUint16(b, g.dst.Port())
		b = binary.BigEndian.AppendUint16(b, uint16(8+len(g.payload)))
		b = append(b, 0, 0)
		sum = 6
	case flowev.ProtoICMP, flowev.ProtoICMP6:
		b = append(b, g.kind, g.code, 0, 0)
		b = binary.BigEndian.AppendUint32(b, g.rest)
		sum = 2
	default:
		b = binary.BigEndian.AppendUint16(b, g.src.Port())
		b = binary.BigEndian.AppendUint16(b, g.dst.Port())
		b = binary.BigEndian.AppendUint32(b, g.seq)
		b = binary.BigEndian.AppendUint32(b, g.ack)
		b = append(b, tcpHeader/4<<4, byte(g.flags))
		b = binary.BigEndian.AppendUint16(b, g.window)
		b = append(b, 0, 0, 0, 0)
		sum = 16
	}
	b = append(b, g.payload...)
	total := uint32(0)
	if g.proto != flowev.ProtoICMP {
		src, dst := addrOf(g.src.Addr()), addrOf(g.dst.Addr())
		total = uint32(proto) + uint32(len(b))
		total = add(add(total, wire(&src, g.version())), wire(&dst, g.version()))
	}
	total = add(total, b)
	if len(b)%2 == 1 {
		total += uint32(b[len(b)-1]) << 8
	}
	value := fold(total)
	if value == 0 && g.proto == flowev.ProtoUDP {
		value = 0xffff
	}
	binary.BigEndian.PutUint16(b[sum:], value)
	return b
}

func (g *outgoing) version() uint8 {
	if g.src.Addr().Is4() {
		return 4
	}
	return 6
}

func (g *outgoing) ipProto() uint8 {
	switch g.proto {
	case flowev.ProtoUDP:
		return protoUDP
	case flowev.ProtoICMP:
		return protoICMP
	case flowev.ProtoICMP6:
		return protoICMPv6
	}
	return protoTCP
}

// appendTo appends the IP header and what follows it.
func (g *outgoing) appendTo(b, upper []byte) []byte {
	at := len(b)
	src, dst := addrOf(g.src.Addr()), addrOf(g.dst.Addr())
	if g.version() == 4 {
		b = append(b, 0x45, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(ipv4Header+len(upper)))
		b = binary.BigEndian.AppendUint16(b, g.id)
		b = append(b, 0x40, 0, g.ttl, g.ipProto(), 0, 0)
	} else {
		b = append(b, 0x60, 0, 0, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(len(upper)))
		b = append(b, g.ipProto(), g.ttl)
	}
	b = append(append(b, wire(&src, g.version())...), wire(&dst, g.version())...)
	if g.version() == 4 {
		binary.BigEndian.PutUint16(b[at+10:], fold(add(0, b[at:])))
	}
	return append(b, upper...)
}

// readOutgoing reads the table of flow.send.
func readOutgoing(fields []event.KV) (outgoing, error) {
	g := outgoing{proto: flowev.ProtoTCP, ttl: 64, window: 65535, flags: packet.ACK, kind: 8, link: packet.LinkEthernet, has: map[string]bool{}}
	for _, f := range fields {
		if f.Key == "proto" {
			if err := plain.SetEnum(&g.proto, f.Value, flowev.ProtoNames()); err != nil {
				return g, fmt.Errorf("proto: %w", err)
			}
		}
	}
	if g.proto == flowev.ProtoICMP6 {
		g.kind = 128
	}
	for _, f := range fields {
		if err := g.set(f.Key, f.Value); err != nil {
			return g, fmt.Errorf("%s: %w", f.Key, err)
		}
		g.has[f.Key] = true
	}
	return g, g.check()
}

// set reads one field.
func (g *outgoing) set(key string, value any) error {
	bare := g.proto == flowev.ProtoICMP || g.proto == flowev.ProtoICMP6
	switch key {
	case "proto":
		return nil
	case "src":
		return setEnd(&g.src, value, bare)
	case "dst":
		return setEnd(&g.dst, value, bare)
	case "flags":
		return g.setFlags(value)
	case "seq":
		return plain.SetUint(&g.seq, value)
	case "ack":
		return plain.SetUint(&g.ack, value)
	case "window":
		return plain.SetUint(&g.window, value)
	case "type":
		return plain.SetUint(&g.kind, value)
	case "code":
		return plain.SetUint(&g.code, value)
	case "rest":
		return plain.SetUint(&g.rest, value)
	case "ttl":
		return plain.SetUint(&g.ttl, value)
	case "id":
		return plain.SetUint(&g.id, value)
	case "link":
		return plain.SetUint(&g.link, value)
	case "payload":
		return plain.SetBytes(&g.payload, value)
	case "frame":
		return plain.SetBytes(&g.frame, value)
	}
	return errors.New("proto, src, dst, flags, seq, ack, window, type, code, rest, ttl, id, payload, or frame and link expected")
}

// setFlags reads "syn,ack", a list of words, or a number.
func (g *outgoing) setFlags(value any) error {
	if n, ok := value.(float64); ok {
		return plain.SetUint((*uint8)(&g.flags), n)
	}
	if text, ok := value.(string); ok {
		list := []any{}
		for word := range strings.SplitSeq(text, ",") {
			list = append(list, strings.TrimSpace(word))
		}
		value = list
	}
	list, ok := value.([]any)
	if !ok {
		return fmt.Errorf(`flags such as "syn,ack" expected, got %s`, plain.Describe(value))
	}
	g.flags = 0
	for _, word := range list {
		var flag flowev.TCPFlag
		if err := plain.SetEnum(&flag, word, flowev.TCPFlagNames()); err != nil {
			return err
		}
		g.flags |= 1 << flag
	}
	return nil
}

// check reports what does not go together.
func (g *outgoing) check() error {
	if g.has["frame"] {
		for key := range g.has {
			if key != "frame" && key != "link" {
				return fmt.Errorf("frame: it is all of the packet, %s says no more", key)
			}
		}
		return nil
	}
	switch {
	case !g.src.IsValid() || !g.dst.IsValid():
		return errors.New("src and dst have to be given")
	case g.src.Addr().Is4() != g.dst.Addr().Is4():
		return fmt.Errorf("%s and %s are of two IP versions", g.src.Addr(), g.dst.Addr())
	case g.proto == flowev.ProtoOther || g.proto == flowev.ProtoSCTP:
		return fmt.Errorf("proto: %s cannot be made, give a frame", g.proto)
	case g.proto == flowev.ProtoICMP && !g.src.Addr().Is4(), g.proto == flowev.ProtoICMP6 && g.src.Addr().Is4():
		return fmt.Errorf("%s does not run over the IP version of %s", g.proto, g.src.Addr())
	}
	return nil
}
