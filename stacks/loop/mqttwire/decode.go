package mqttwire

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// decoder takes values from the front of p, until something is wrong.
type decoder struct {
	p   []byte
	err error
}

func (d *decoder) fail(what string) {
	if d.err == nil {
		d.err = malformed(what)
	}
	d.p = nil
}

func (d *decoder) take(n int) []byte {
	if len(d.p) < n {
		d.fail("packet is cut")
		return nil
	}
	b := d.p[:n]
	d.p = d.p[n:]
	return b
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) two() uint16 {
	if b := d.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (d *decoder) four() uint32 {
	if b := d.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) data() []byte { return d.take(int(d.two())) }

// text is UTF-8 without U+0000 (section 1.5.4).
func (d *decoder) text() string {
	b := d.data()
	if !validText(b) {
		d.fail("text")
	}
	return string(b)
}

func validText(b []byte) bool {
	return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0
}

// varint is a number in its shortest form (section 1.5.5).
func (d *decoder) varint() int {
	v, n, err := varint(d.p)
	if err != nil || n == 0 {
		d.fail("length")
		return 0
	}
	d.p = d.p[n:]
	return v
}

// varint takes a number from the front of p; n 0 means that p ends before it does.
func varint(p []byte) (v, n int, err error) {
	for n < 4 {
		if n == len(p) {
			return 0, 0, nil
		}
		b := p[n]
		v |= int(b&0x7f) << (7 * n)
		n++
		if b < 0x80 {
			if b == 0 && n > 1 {
				return 0, 0, malformed("length not in its shortest form")
			}
			return v, n, nil
		}
	}
	return 0, 0, malformed("length of five bytes")
}

// id is a packet identifier, which is never 0.
func (d *decoder) id() uint16 {
	id := d.two()
	if id == 0 && d.err == nil {
		d.err = violation("packet identifier 0")
	}
	return id
}

// Parse takes a packet from the front of p and returns how many bytes it has; 0 without
// error means that p ends before the packet does. version is the one that CONNECT
// agreed on; CONNECT itself brings its own. More than limit bytes are an error as
// soon as their number is known; limit 0 is the standard's. Payload and password are in
// p.
func Parse(p []byte, version byte, limit int) (pkt Packet, n int, err error) {
	if len(p) < 2 {
		return pkt, 0, nil
	}
	pkt.Type = Type(p[0] >> 4)
	if err := pkt.flags(p[0] & 15); err != nil {
		return pkt, 0, err
	}
	size, head, err := varint(p[1:])
	if err != nil || head == 0 {
		return pkt, 0, err
	}
	n = 1 + head + size
	if limit > 0 && n > limit {
		return pkt, 0, &Error{PacketTooLarge, "packet too large"}
	}
	if len(p) < n {
		return pkt, 0, nil
	}
	d := decoder{p: p[1+head : n]}
	pkt.body(&d, version)
	if d.err == nil && len(d.p) > 0 {
		d.err = malformed("bytes behind the packet")
	}
	if d.err != nil {
		return pkt, 0, d.err
	}
	return pkt, n, nil
}

// flags checks and takes the low bits of the first byte (section 2.1.3).
func (p *Packet) flags(f byte) error {
	want := byte(0)
	switch p.Type {
	case 0:
		return malformed("type 0")
	case Publish:
		p.Dup, p.QoS, p.Retain = f&8 != 0, f>>1&3, f&1 != 0
		if p.QoS == 3 || p.QoS == 0 && p.Dup {
			return malformed("quality of service")
		}
		return nil
	case Pubrel, Subscribe, Unsubscribe:
		want = 2
	}
	if f != want {
		return malformed("flags")
	}
	return nil
}

func (p *Packet) body(d *decoder, version byte) {
	v5 := version == V5
	switch p.Type {
	case Connect:
		p.connect(d)
	case Connack:
		p.connack(d, v5)
	case Publish:
		p.publish(d, v5)
	case Puback, Pubrec, Pubrel, Pubcomp:
		p.ID = d.id()
		p.reason(d, v5)
	case Subscribe, Unsubscribe:
		p.subscribe(d, v5)
	case Suback, Unsuback:
		p.suback(d, v5)
	case Pingreq, Pingresp:
	case Disconnect:
		p.reason(d, v5)
	case Auth:
		if !v5 {
			d.err = violation("AUTH before MQTT 5")
			return
		}
		p.reason(d, v5)
		if d.err == nil && p.Reason != 0 && p.Reason != 0x18 && p.Reason != 0x19 {
			d.err = violation("reason of AUTH")
		}
	}
}

// reason takes a reason code and properties, both of which may be left out.
func (p *Packet) reason(d *decoder, v5 bool) {
	if d.err != nil || !v5 || len(d.p) == 0 {
		return
	}
	p.Reason = d.byte()
	if len(d.p) > 0 {
		p.Properties = d.properties(p.Type)
	}
	if d.err == nil && !validReason(p.Type, p.Reason) {
		d.err = violation("reason")
	}
}

// validReason reports whether an acknowledgement can have that reason (sections
// 3.4.2.1, 3.5.2.1, 3.6.2.1, 3.7.2.1).
func validReason(t Type, r byte) bool {
	switch t {
	case Puback, Pubrec:
		switch r {
		case Success, NoMatchingSubscribers, UnspecifiedError, 0x83, NotAuthorized, InvalidTopic, PacketIDInUse, QuotaExceeded, InvalidPayload:
			return true
		}
		return false
	case Pubrel, Pubcomp:
		return r == Success || r == PacketIDNotFound
	}
	return true
}

func (p *Packet) connack(d *decoder, v5 bool) {
	f := d.byte()
	if f > 1 {
		d.fail("flags of CONNACK")
	}
	p.SessionPresent, p.Reason = f == 1, d.byte()
	if v5 && d.err == nil {
		p.Properties = d.properties(Connack)
	}
	if d.err == nil && p.SessionPresent && p.Reason != 0 {
		d.err = violation("a session that is refused")
	}
}

func (p *Packet) publish(d *decoder, v5 bool) {
	p.Topic = d.text()
	if p.QoS > 0 {
		p.ID = d.id()
	}
	if v5 && d.err == nil {
		p.Properties = d.properties(Publish)
	}
	if d.err != nil {
		return
	}
	if p.Topic == "" {
		if _, alias := p.Properties.Get(TopicAlias); !alias {
			d.err = violation("no topic")
		}
	} else if !ValidTopic(p.Topic) {
		d.err = &Error{InvalidTopic, "topic with wildcards"}
	}
	p.Payload = d.p
	d.p = nil
}

func (p *Packet) subscribe(d *decoder, v5 bool) {
	p.ID = d.id()
	if v5 && d.err == nil {
		p.Properties = d.properties(p.Type)
	}
	for len(d.p) > 0 && d.err == nil {
		f := Filter{Topic: d.text()}
		if p.Type == Subscribe {
			f.options(d, v5)
		}
		if d.err == nil && !ValidFilter(f.Topic) {
			d.err = &Error{InvalidFilter, "filter"}
		}
		if d.err == nil && f.NoLocal && strings.HasPrefix(f.Topic, "$share/") {
			d.err = violation("no local in a shared subscription")
		}
		p.Filters = append(p.Filters, f)
	}
	if d.err == nil && len(p.Filters) == 0 {
		d.err = violation("no filter")
	}
}

func (f *Filter) options(d *decoder, v5 bool) {
	o := d.byte()
	f.QoS = o & 3
	if f.QoS == 3 || !v5 && o > 2 || o>>6 != 0 || o>>4 == 3 {
		d.fail("options of a subscription")
	}
	f.NoLocal, f.AsPublished, f.RetainHandling = o&4 != 0, o&8 != 0, o>>4&3
}

func (p *Packet) suback(d *decoder, v5 bool) {
	p.ID = d.id()
	if v5 && d.err == nil {
		p.Properties = d.properties(p.Type)
	}
	if v5 || p.Type == Suback {
		p.Reasons = append([]byte(nil), d.p...)
		if len(d.p) == 0 {
			d.fail("no reason")
		}
		d.p = nil
	}
	for _, r := range p.Reasons {
		if d.err == nil && !v5 && r > 2 && r != 0x80 {
			d.fail("return code")
		}
	}
}
