package netlink

import "encoding/binary"

// Message is one message of a dump. Its bytes belong to the connection until the
// function that got it returns.
type Message struct {
	Type uint16
	seq  uint32
	Data []byte // after the netlink header: the family's header, then attributes
}

func cut(p []byte) (Message, []byte, bool) {
	size := int(binary.NativeEndian.Uint32(p))
	if size < HeaderLen || size > len(p) {
		return Message{}, nil, false
	}
	m := Message{Type: binary.NativeEndian.Uint16(p[4:]), seq: binary.NativeEndian.Uint32(p[8:]), Data: p[HeaderLen:size]}
	return m, p[min((size+3)&^3, len(p)):], true
}
