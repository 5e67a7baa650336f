package netlink

import "encoding/binary"

// HeaderLen is the size of a netlink message's header (struct nlmsghdr).
const HeaderLen = 16

// Builder writes netlink messages one after another into one buffer.
type Builder struct {
	buf   []byte
	start int // of the message that is being written
	count int
}

// Reset forgets all messages and keeps the buffer.
func (b *Builder) Reset() { b.buf, b.start, b.count = b.buf[:0], 0, 0 }

// Bytes returns what was written. It is the builder's own buffer.
func (b *Builder) Bytes() []byte { return b.buf }

// Len returns how many bytes were written.
func (b *Builder) Len() int { return len(b.buf) }

// Messages returns how many messages were begun.
func (b *Builder) Messages() int { return b.count }

// Begin starts a message of a type with flags (NLM_F_*), followed by the family's
// fixed header. It ends with [Builder.End].
func (b *Builder) Begin(typ, flags uint16, header ...byte) {
	b.start = len(b.buf)
	b.count++
	var h [HeaderLen]byte
	binary.NativeEndian.PutUint16(h[4:], typ)
	binary.NativeEndian.PutUint16(h[6:], flags)
	b.buf = append(b.buf, h[:]...)
	b.buf = append(b.buf, header...)
	b.pad()
}

// End fills in the length of the message that was begun.
func (b *Builder) End() {
	binary.NativeEndian.PutUint32(b.buf[b.start:], uint32(len(b.buf)-b.start))
}

// Ask sets flags of the message that was begun last, also after its end.
func (b *Builder) Ask(flags uint16) {
	at := b.buf[b.start+6:]
	binary.NativeEndian.PutUint16(at, binary.NativeEndian.Uint16(at)|flags)
}

// Attr writes an attribute with its bytes.
func (b *Builder) Attr(typ uint16, data ...byte) {
	b.head(typ, len(data))
	b.buf = append(b.buf, data...)
	b.pad()
}

// Text writes an attribute that is a text with a zero at its end.
func (b *Builder) Text(typ uint16, text string) {
	b.head(typ, len(text)+1)
	b.buf = append(append(b.buf, text...), 0)
	b.pad()
}

// Uint8 writes an attribute of one byte.
func (b *Builder) Uint8(typ uint16, v uint8) { b.Attr(typ, v) }

// Uint16 writes an attribute of two bytes in network order.
func (b *Builder) Uint16(typ, v uint16) {
	b.head(typ, 2)
	b.buf = binary.BigEndian.AppendUint16(b.buf, v)
	b.pad()
}

// Uint32 writes an attribute of four bytes in network order.
func (b *Builder) Uint32(typ uint16, v uint32) {
	b.head(typ, 4)
	b.buf = binary.BigEndian.AppendUint32(b.buf, v)
}

// Uint64 writes an attribute of eight bytes in network order.
func (b *Builder) Uint64(typ uint16, v uint64) {
	b.head(typ, 8)
	b.buf = binary.BigEndian.AppendUint64(b.buf, v)
}

// Nest begins an attribute that holds attributes and returns its place for
// [Builder.EndNest].
func (b *Builder) Nest(typ uint16) int {
	at := len(b.buf)
	b.head(typ|nested, 0)
	return at
}

// EndNest ends the attribute that was begun at a place. Its content is at most
// 65,531 bytes: who writes lists splits them before.
func (b *Builder) EndNest(at int) {
	binary.NativeEndian.PutUint16(b.buf[at:], uint16(len(b.buf)-at))
}

// nested is NLA_F_NESTED, and typeMask what it and NLA_F_NET_BYTEORDER leave.
const (
	nested   = 0x8000
	typeMask = 0x3fff
)

func (b *Builder) head(typ uint16, size int) {
	b.buf = binary.NativeEndian.AppendUint16(b.buf, uint16(4+size))
	b.buf = binary.NativeEndian.AppendUint16(b.buf, typ)
}

func (b *Builder) pad() {
	for len(b.buf)%4 != 0 {
		b.buf = append(b.buf, 0)
	}
}

// Attrs is a sequence of attributes as it came from the kernel.
type Attrs []byte

// Next returns the first attribute's type and bytes and what follows it; ok is
// false at the end and where what is left is no attribute.
func (a Attrs) Next() (typ uint16, data []byte, rest Attrs, ok bool) {
	if len(a) < 4 {
		return 0, nil, nil, false
	}
	size := int(binary.NativeEndian.Uint16(a))
	if size < 4 || size > len(a) {
		return 0, nil, nil, false
	}
	typ = binary.NativeEndian.Uint16(a[2:]) & typeMask
	return typ, a[4:size:size], a[min((size+3)&^3, len(a)):], true
}

// Get returns the bytes of the first attribute of a type, nil where there is none.
func (a Attrs) Get(want uint16) []byte {
	for {
		typ, data, rest, ok := a.Next()
		if !ok {
			return nil
		}
		if typ == want {
			return data
		}
		a = rest
	}
}

// Text returns a text attribute without the zero at its end.
func (a Attrs) Text(want uint16) string {
	data := a.Get(want)
	for i, c := range data {
		if c == 0 {
			return string(data[:i])
		}
	}
	return string(data)
}

// Uint32 returns an attribute of four bytes in network order, 0 where there is none.
func (a Attrs) Uint32(want uint16) uint32 {
	if data := a.Get(want); len(data) >= 4 {
		return binary.BigEndian.Uint32(data)
	}
	return 0
}

// Uint64 returns an attribute of eight bytes in network order, 0 where there is none.
func (a Attrs) Uint64(want uint16) uint64 {
	if data := a.Get(want); len(data) >= 8 {
		return binary.BigEndian.Uint64(data)
	}
	return 0
}
