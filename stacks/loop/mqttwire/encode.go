package mqttwire

import (
	"encoding/binary"
	"errors"
)

func appendVarint(dst []byte, v int) []byte {
	for v >= 0x80 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v))
}

func appendData(dst, data []byte) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(data))), data...)
}

func appendText(dst []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(s))), s...)
}

// errLong is about what no packet can carry.
var errLong = errors.New("mqttwire: text or packet too long")

// Append appends the packet as that version has it; CONNECT has its own.
func (p *Packet) Append(dst []byte, version byte) ([]byte, error) {
	if p.Type == Connect {
		version = p.Version
	}
	if p.tooLong() {
		return dst, errLong
	}
	head := p.head(nil, version == V5)
	size := len(head) + len(p.Payload)
	if p.Type != Publish {
		size = len(head)
	}
	if size > MaxRemaining {
		return dst, errLong
	}
	dst = appendVarint(append(dst, p.first()), size)
	dst = append(dst, head...)
	if p.Type == Publish {
		dst = append(dst, p.Payload...)
	}
	return dst, nil
}

// tooLong reports whether a text is longer than its length says.
func (p *Packet) tooLong() bool {
	long := len(p.Topic) > 65535 || len(p.ClientID) > 65535 || len(p.User) > 65535 || len(p.Password) > 65535
	for _, f := range p.Filters {
		long = long || len(f.Topic) > 65535
	}
	list := p.Properties
	if w := p.Will; w != nil {
		long = long || len(w.Topic) > 65535 || len(w.Payload) > 65535
		list = append(list[:len(list):len(list)], w.Properties...)
	}
	for _, x := range list {
		long = long || len(x.Name) > 65535 || len(x.Data) > 65535
	}
	return long
}

func (p *Packet) first() byte {
	b := byte(p.Type) << 4
	switch p.Type {
	case Publish:
		b |= p.QoS << 1
		if p.Dup {
			b |= 8
		}
		if p.Retain {
			b |= 1
		}
	case Pubrel, Subscribe, Unsubscribe:
		b |= 2
	}
	return b
}

// head appends all behind the fixed header but the payload of PUBLISH.
func (p *Packet) head(b []byte, v5 bool) []byte {
	switch p.Type {
	case Connect:
		return p.appendConnect(b)
	case Connack:
		if p.SessionPresent {
			b = append(b, 1, p.Reason)
		} else {
			b = append(b, 0, p.Reason)
		}
	case Publish:
		b = appendText(b, p.Topic)
		if p.QoS > 0 {
			b = binary.BigEndian.AppendUint16(b, p.ID)
		}
	case Puback, Pubrec, Pubrel, Pubcomp, Disconnect, Auth:
		return p.appendReason(b, v5)
	case Subscribe, Unsubscribe, Suback, Unsuback:
		b = binary.BigEndian.AppendUint16(b, p.ID)
	default:
		return b
	}
	if v5 {
		b = p.Properties.append(b)
	}
	for _, f := range p.Filters {
		b = appendText(b, f.Topic)
		if p.Type == Subscribe {
			b = append(b, f.bits(v5))
		}
	}
	if v5 || p.Type == Suback {
		b = append(b, p.Reasons...)
	}
	return b
}

func (f *Filter) bits(v5 bool) byte {
	b := f.QoS
	if !v5 {
		return b
	}
	if f.NoLocal {
		b |= 4
	}
	if f.AsPublished {
		b |= 8
	}
	return b | f.RetainHandling<<4
}

func (p *Packet) appendReason(b []byte, v5 bool) []byte {
	if p.Type != Disconnect && p.Type != Auth {
		b = binary.BigEndian.AppendUint16(b, p.ID)
	}
	if !v5 || p.Reason == 0 && len(p.Properties) == 0 {
		return b
	}
	b = append(b, p.Reason)
	if len(p.Properties) > 0 {
		b = p.Properties.append(b)
	}
	return b
}

func (p *Packet) appendConnect(b []byte) []byte {
	name := "MQTT"
	if p.Version == V31 {
		name = "MQIsdp"
	}
	var flags byte
	set := func(on bool, bit byte) {
		if on {
			flags |= bit
		}
	}
	set(p.Clean, 2)
	set(p.HasUser, 0x80)
	set(p.HasPassword, 0x40)
	if w := p.Will; w != nil {
		flags |= 4 | w.QoS<<3
		set(w.Retain, 0x20)
	}
	b = append(appendText(b, name), p.Version, flags)
	b = binary.BigEndian.AppendUint16(b, p.KeepAlive)
	if p.Version == V5 {
		b = p.Properties.append(b)
	}
	b = appendText(b, p.ClientID)
	if w := p.Will; w != nil {
		if p.Version == V5 {
			b = w.Properties.append(b)
		}
		b = appendData(appendText(b, w.Topic), w.Payload)
	}
	if p.HasUser {
		b = appendText(b, p.User)
	}
	if p.HasPassword {
		b = appendData(b, p.Password)
	}
	return b
}
