package netlink

import (
	"bytes"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	var b Builder
	b.Begin(7, 1, 10, 0, 0, 0)
	b.Text(1, "name")
	b.Uint8(2, 3)
	b.Uint16(3, 0x1234)
	b.Uint32(4, 0xdeadbeef)
	b.Uint64(5, 1<<40)
	at := b.Nest(6)
	b.Attr(1, 1, 2, 3, 4, 5)
	b.EndNest(at)
	b.End()
	if b.Messages() != 1 || b.Len()%4 != 0 {
		t.Fatalf("%d messages, %d bytes", b.Messages(), b.Len())
	}
	m, rest, ok := cut(b.Bytes())
	if !ok || len(rest) != 0 || m.Type != 7 {
		t.Fatalf("%+v %d %v", m, len(rest), ok)
	}
	a := Attrs(m.Data[4:])
	if got := a.Text(1); got != "name" {
		t.Errorf("text is %q", got)
	}
	if got := a.Get(2); len(got) != 1 || got[0] != 3 {
		t.Errorf("byte is %v", got)
	}
	if got := a.Get(3); !bytes.Equal(got, []byte{0x12, 0x34}) {
		t.Errorf("two bytes are %x", got)
	}
	if a.Uint32(4) != 0xdeadbeef || a.Uint64(5) != 1<<40 || a.Uint32(9) != 0 || a.Uint64(9) != 0 {
		t.Errorf("numbers are %x %x", a.Uint32(4), a.Uint64(5))
	}
	if got := Attrs(a.Get(6)).Get(1); !bytes.Equal(got, []byte{1, 2, 3, 4, 5}) {
		t.Errorf("nested is %v", got)
	}
}

func TestBuilderAllocates(t *testing.T) {
	var b Builder
	build := func() {
		b.Reset()
		b.Begin(7, 1, 0, 0, 0, 0)
		b.Text(1, "name")
		at := b.Nest(2)
		b.Uint32(3, 4)
		b.EndNest(at)
		b.End()
	}
	build()
	if n := testing.AllocsPerRun(100, build); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzAttrs(f *testing.F) {
	f.Add([]byte{8, 0, 1, 0, 1, 2, 3, 4}, uint16(1))
	f.Add([]byte{3, 0, 1, 0}, uint16(1))
	f.Add([]byte{255, 255, 1, 128}, uint16(1))
	f.Fuzz(func(t *testing.T, p []byte, typ uint16) {
		a, seen := Attrs(p), 0
		for {
			_, data, rest, ok := a.Next()
			if !ok {
				break
			}
			if seen += 4 + len(data); seen > len(p) {
				t.Fatalf("%d bytes of attributes in %d", seen, len(p))
			}
			a = rest
		}
		a = p
		_, _, _ = a.Text(typ), a.Uint32(typ), a.Uint64(typ)
		_, _, _ = cutSafely(p)
	})
}

func cutSafely(p []byte) (Message, []byte, bool) {
	if len(p) < HeaderLen {
		return Message{}, nil, false
	}
	return cut(p)
}
