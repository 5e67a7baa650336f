package fragment_test

import (
	"encoding/binary"
	"runtime"
	"testing"
	"time"

	"github.com/hookd/hookd/spec/testbed"
	"github.com/hookd/hookd/stacks/flow/fragment"
	"github.com/hookd/hookd/stacks/flow/packet"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// flood sends n fragments of as many datagrams, 1 µs apart, with an honest datagram in between every
// thousand, and returns how many of those came through.
func flood(t *testing.T, table *fragment.Table, frame []byte, n uint32) (honest uint32) {
	a, b := udp4(0x7777, 0, 48), udp4(0x7777, 48, 52)
	now := start
	var p packet.Packet
	add := func(f []byte) fragment.Result {
		now += 1000
		p.Decode(1, f, len(f), now)
		return table.Add(&p)
	}
	for i := range n {
		binary.BigEndian.PutUint32(frame[26:], i) // the source address
		add(frame)
		switch i % 1000 {
		case 500:
			add(a)
		case 510:
			if add(b) == fragment.Whole && string(p.Payload()) == text(92) {
				honest++
			}
		}
		if s := table.Stats(); s.Held > 1<<20 || s.Open > 700 {
			t.Fatalf("beyond the limits: %+v", s)
		}
	}
	return honest
}

func TestFlood(t *testing.T) {
	t.Parallel()
	n := uint32(100_000)
	if testbed.Proving() { // spec/prove/run
		n = 1_000_000
	}
	for name, frame := range map[string][]byte{
		"first fragments":            pt.IP(c4.Addr(), s4.Addr(), 17, text(8), pt.Piece(1, 0, true)),
		"far behind":                 pt.IP(c4.Addr(), s4.Addr(), 17, text(8), pt.Piece(1, 65520, true)),
		"large":                      pt.IP(c4.Addr(), s4.Addr(), 17, text(9000), pt.Piece(1, 2040, true)),
		"last without those before":  pt.IP(c4.Addr(), s4.Addr(), 17, text(1), pt.Piece(1, 65528, false)),
		"refused for an odd length":  pt.IP(c4.Addr(), s4.Addr(), 17, text(7), pt.Piece(1, 0, true)),
		"first with an empty header": pt.IP(c4.Addr(), s4.Addr(), 17, "", pt.Piece(1, 0, true)),
	} {
		table := fragment.New(fragment.Config{Memory: 1 << 20, Datagrams: 700})
		honest := flood(t, table, frame, n)
		s := table.Stats()
		consistent(t, name, s)
		if honest != n/1000 {
			t.Errorf("%s: %d of %d honest datagrams came through: %+v", name, honest, n/1000, s)
		}
		if s.Peak > 1<<20 {
			t.Errorf("%s: %d bytes", name, s.Peak)
		}
		t.Logf("%d fragments, %s: at most %d KiB, %d datagrams evicted, %d of %d honest ones whole", n, name, s.Peak>>10, s.Evicted, honest, n/1000)
		table.Advance(start + int64(time.Hour))
		if s := table.Stats(); s.Open != 0 || s.Held != 0 {
			t.Errorf("%s: an hour later: %+v", name, s)
		}
	}
}

// TestMemory measures what the default limit means in bytes of the process.
func TestMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector uses memory of its own")
	}
	frame := pt.IP(c6.Addr(), s6.Addr(), 17, text(8), pt.Piece(1, 0, true))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	table := fragment.New(fragment.Config{Datagrams: 1 << 20})
	var p packet.Packet
	for i := range uint32(200_000) {
		binary.BigEndian.PutUint32(frame[22:], i)
		p.Decode(1, frame, len(frame), start)
		table.Add(&p)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	used := int(after.HeapAlloc) - int(before.HeapAlloc)
	s := table.Stats()
	if s.Held < 4<<20-4096 || s.Evicted == 0 {
		t.Errorf("not full: %+v", s)
	}
	if used > 4<<20+512<<10 {
		t.Errorf("%d bytes are in use, %d are accounted for", used, s.Held)
	}
	t.Logf("%d bytes in use, %d accounted for, %d datagrams", used, s.Held, s.Open)
	runtime.KeepAlive(table)
}

// TestManyPieces has one datagram in as many fragments as there can be.
func TestManyPieces(t *testing.T) {
	t.Parallel()
	table := fragment.New(fragment.Config{Memory: 1})
	body := header(65480-8) + text(65480-8)
	var p packet.Packet
	for i := range 8185 {
		off := i * 3571 % 8185 * 8 // every place once
		f := pt.IP(c4.Addr(), s4.Addr(), 17, body[off:off+8], pt.Piece(1, off, off+8 < len(body)))
		p.Decode(1, f, len(f), start)
		if got := table.Add(&p); (got == fragment.Whole) != (i == 8184) {
			t.Fatalf("fragment %d: %v", i, got)
		}
	}
	if string(p.Payload()) != body[8:] || table.Stats().Peak > 128<<10 {
		t.Errorf("%v with %d bytes: %+v", p.Class, p.PayloadLen, table.Stats())
	}
}

// TestOldestGrows has the datagram that has waited for longest need the memory that others have.
func TestOldestGrows(t *testing.T) {
	t.Parallel()
	table := fragment.New(fragment.Config{Memory: 1})
	var p packet.Packet
	add := func(f []byte) fragment.Result {
		p.Decode(1, f, len(f), start)
		return table.Add(&p)
	}
	body := header(40000) + text(40000)
	add(piece(0, true, body[:8]))
	for id := range uint32(25) {
		add(udp4(100+id, 0, 48))
	}
	if s := table.Stats(); s.Evicted != 0 || s.Open != 26 {
		t.Fatalf("%+v", s)
	}
	if got := add(piece(8, false, body[8:])); got != fragment.Whole || string(p.Payload()) != body[8:] {
		t.Errorf("%v: %+v", got, table.Stats())
	}
	if s := table.Stats(); s.Evicted == 0 || s.Evicted == 25 || s.Peak > 128<<10 {
		t.Errorf("%+v", s)
	}
	consistent(t, "oldest", table.Stats())
}

func TestAddAllocatesNothing(t *testing.T) {
	table := fragment.New(fragment.Config{})
	frames := [][]byte{udp4(1, 48, 52), udp6(1, 0, 48), udp4(1, 0, 48), udp6(1, 48, 52), pt.UDP(c4, s4, "x")}
	var p packet.Packet
	now := start
	var id uint16
	if n := testing.AllocsPerRun(2000, func() {
		id++
		for _, f := range frames {
			if f[12] == 8 {
				binary.BigEndian.PutUint16(f[18:], id)
			}
			now++
			p.Decode(1, f, len(f), now)
			table.Add(&p)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if s := table.Stats(); s.Whole < 4000 {
		t.Errorf("%+v", s)
	}
}

func BenchmarkAdd(b *testing.B) {
	body := text(2960 - 8)
	two := [][]byte{pt.UDP(c4, s4, body, pt.Fragment(1, 0, 1480)), pt.UDP(c4, s4, body, pt.Fragment(1, 1480, 1480))}
	b.Run("two fragments", func(b *testing.B) {
		table := fragment.New(fragment.Config{})
		var p packet.Packet
		b.ReportAllocs()
		for b.Loop() {
			for _, f := range two {
				p.Decode(1, f, len(f), start)
				table.Add(&p)
			}
		}
		if p.Class != packet.UDP {
			b.Fatal(p.Class)
		}
	})
	b.Run("flood", func(b *testing.B) {
		table := fragment.New(fragment.Config{})
		var p packet.Packet
		var i uint32
		b.ReportAllocs()
		for b.Loop() {
			i++
			binary.BigEndian.PutUint32(two[0][26:], i)
			p.Decode(1, two[0], len(two[0]), start)
			table.Add(&p)
		}
	})
	b.Run("no fragment", func(b *testing.B) {
		table := fragment.New(fragment.Config{})
		f := pt.UDP(c4, s4, "x")
		var p packet.Packet
		p.Decode(1, f, len(f), start)
		for b.Loop() {
			table.Add(&p)
		}
	})
}
