package fragment_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/hookd/hookd/stacks/flow/fragment"
	"github.com/hookd/hookd/stacks/flow/packet"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// model is reassembly without blocks, bits and limits: a byte a place, each with the fragment it is of.
type model struct {
	policy fragment.Overlap
	bytes  map[int]modelByte
	end    int
	high   int
	begun  bool
}

type modelByte struct {
	value    byte
	off, end int
}

func newModel(policy fragment.Overlap) *model {
	return &model{policy: policy, bytes: map[int]modelByte{}, end: -1}
}

// holds reports whether the byte of the fragment that came later holds.
func (m *model) holds(late, had modelByte) bool {
	begins := late.off - had.off
	switch m.policy {
	case fragment.OverlapBSD:
		return begins < 0
	case fragment.OverlapBSDRight:
		return begins >= 0
	case fragment.OverlapLinux:
		return begins <= 0
	case fragment.OverlapWindows:
		return begins < 0 && late.end > had.end
	case fragment.OverlapSolaris:
		return begins < 0 && late.end >= had.end
	}
	return m.policy == fragment.OverlapLast
}

// add takes a fragment, and returns the payload once it is whole.
func (m *model) add(off int, more bool, b []byte) (want fragment.Result, payload []byte) {
	if more {
		b = b[:len(b)/8*8]
	}
	end := off + len(b)
	switch {
	case len(b) == 0,
		!more && (m.end >= 0 && m.end != end || end < m.high),
		more && m.end >= 0 && end > m.end:
		return fragment.Refused, nil
	}
	for i, c := range b {
		late := modelByte{c, off, end}
		if had, ok := m.bytes[off+i]; !ok || m.holds(late, had) {
			m.bytes[off+i] = late
		}
	}
	m.begun = m.begun || off == 0
	m.high = max(m.high, end)
	if !more {
		m.end = end
	}
	if m.end < 0 || len(m.bytes) != m.end || !m.begun {
		return fragment.Held, nil
	}
	payload = make([]byte, m.end)
	for i := range payload {
		payload[i] = m.bytes[i].value
	}
	return fragment.Whole, payload
}

// FuzzTable drives a table with any fragments of four datagrams and compares it with the model.
// Each step is eight bytes: flags (datagram, more follow, version), place, length, a byte to count from.
// The number of steps chooses the policy.
func FuzzTable(f *testing.F) {
	step := func(flags byte, off, n uint16, fill byte) []byte {
		return append(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16([]byte{flags, 0}, off), n), fill, 0)
	}
	script := func(steps ...[]byte) []byte { return bytes.Join(steps, nil) }
	f.Add(script(step(4, 0, 48, 1), step(0, 6, 52, 2)))
	f.Add(script(step(5, 6, 48, 1), step(1, 3, 88, 9), step(5, 0, 48, 2), step(5, 0, 48, 2)))
	f.Add(script(step(4|8, 0, 48, 1), step(4|8, 2, 48, 2), step(8, 8, 5, 3), step(8, 8, 4, 3)))
	f.Add(script(step(4, 256, 2048, 1), step(4, 0, 2048, 1), step(0, 512, 7, 4), step(4, 0, 13, 1)))
	f.Fuzz(func(t *testing.T, script []byte) {
		policy := fragment.Overlap(len(script) / 8 % int(fragment.OverlapDiscard))
		table := fragment.New(fragment.Config{Overlap: policy})
		var models [4]*model
		var p packet.Packet
		for i := range models {
			models[i] = newModel(policy)
		}
		for ; len(script) >= 8; script = script[8:] {
			which, more, v6 := int(script[0]&3), script[0]&4 != 0, script[0]&8 != 0
			off := int(binary.BigEndian.Uint16(script[2:])&0x1fff) * 8
			n := int(binary.BigEndian.Uint16(script[4:]) % 3000)
			if off+n > 65000 {
				continue
			}
			body := make([]byte, n)
			for i := range body {
				body[i] = script[6] + byte(i)
			}
			src, dst := c4.Addr(), s4.Addr()
			if v6 {
				which |= 2
				src, dst = c6.Addr(), s6.Addr()
			} else {
				which &= 1
			}
			if v6 && (more && n%8 != 0 || off == 0 && !more) || off == 0 && !more {
				continue // refused otherwise, or no fragment
			}
			frame := pt.IP(src, dst, 17, body, pt.Piece(uint32(which), off, more))
			p.Decode(1, frame, len(frame), start)
			got := table.Add(&p)
			want, payload := models[which].add(off, more, body)
			if got != want {
				t.Fatalf("datagram %d: %d bytes at %d, more %v: %v, want %v", which, n, off, more, got, want)
			}
			if got == fragment.Whole {
				if !bytes.Equal(p.Data[len(p.Data)-len(payload):], payload) || int(p.L4Off) != len(p.Data)-len(payload) && p.Class >= packet.OtherIP {
					t.Fatalf("datagram %d: other bytes", which)
				}
				models[which] = newModel(policy)
			}
		}
		consistent(t, "fuzz", table.Stats())
	})
}

// FuzzFrames gives a table whatever bytes decode to: frames, each behind a byte for its length, every one
// twice. Nothing panics, and what is counted adds up.
func FuzzFrames(f *testing.F) {
	raw := pt.Link(packet.LinkRaw)
	seed := func(frames ...[]byte) {
		var b []byte
		for _, frame := range frames {
			b = append(append(b, byte(len(frame))), frame...)
		}
		f.Add(b)
	}
	seed(udp4(1, 0, 48, raw), udp4(1, 48, 52, raw))
	seed(udp6(1, 0, 48, raw, pt.Ext(43, 0, 4, 0, 0, 0, 0, 0)), udp6(1, 48, 52, raw, pt.Ext(44, 9, 0, 0, 0, 0, 0, 1)))
	a, b := cut(udp6(1, 48, 52, raw), 9, 16)
	seed(udp6(1, 0, 48, raw), b, a)
	seed(pt.GRE(o4, p4, pt.GREHeader{}, udp4(1, 0, 48, raw), raw, pt.Fragment(2, 0, 32)), pt.GRE(o4, p4, pt.GREHeader{}, udp4(1, 0, 48, raw), raw, pt.Fragment(2, 32, 99)))
	f.Fuzz(func(t *testing.T, data []byte) {
		table := fragment.New(fragment.Config{Datagrams: 3, Overlap: fragment.Overlap(len(data) & 7)})
		p := packet.Packet{Decap: packet.AllTunnels}
		now := start
		for len(data) > 0 {
			n := min(1+int(data[0]), len(data))
			frame := data[1:n]
			data = data[n:]
			for range 2 {
				p.Decode(packet.LinkRaw, frame, 0, now)
				result := table.Add(&p)
				if result == fragment.Whole && (!p.Reassembled || p.Class == packet.Fragment || len(p.Data) > 65535+40) || p.Class < packet.Fragment && result == fragment.Held {
					t.Fatalf("%v: %+v", result, p)
				}
				p.Checksum()
				now += int64(n) << 25
			}
			consistent(t, "fuzz", table.Stats())
			if t.Failed() {
				return
			}
		}
	})
}

// FuzzFragments cuts a datagram anyhow, shuffles the fragments, repeats some, and gets the datagram back.
func FuzzFragments(f *testing.F) {
	f.Add(uint64(1), uint16(100), false, uint8(0))
	f.Add(uint64(2), uint16(3000), true, uint8(3))
	f.Add(uint64(3), uint16(65507), false, uint8(9))
	f.Add(uint64(4), uint16(9), true, uint8(255))
	f.Fuzz(func(t *testing.T, seed uint64, size uint16, v6 bool, repeat uint8) {
		rng := rand.New(rand.NewPCG(seed, 0))
		c, s := c4, s4
		if v6 {
			c, s = c6, s6
		}
		body := make([]byte, 9+int(size)%65490)
		for i := range body {
			body[i] = byte(rng.Uint32())
		}
		whole := pt.UDP(c, s, body, pt.ID(7))
		frames := shuffled(rng, len(body)+8, repeat, func(off, n int) []byte {
			return pt.UDP(c, s, body, pt.Fragment(7, off, n))
		})
		table := fragment.New(fragment.Config{})
		var p packet.Packet
		results := map[fragment.Result]int{}
		for _, frame := range frames {
			p.Decode(1, frame, len(frame), start)
			got := table.Add(&p)
			results[got]++
			if got == fragment.Whole && !bytes.Equal(p.Data, whole[14:]) {
				t.Fatalf("the datagram of %d bytes came back other than it was", len(body))
			}
		}
		if results[fragment.Whole] == 0 || results[fragment.Refused] > 0 {
			t.Fatalf("%d fragments: %v, %+v", len(frames), results, table.Stats())
		}
		consistent(t, "fuzz", table.Stats())
	})
}

// shuffled cuts n bytes at random multiples of eight, and returns the fragments in a random order, of
// which some come twice, also in part.
func shuffled(rng *rand.Rand, n int, repeat uint8, build func(off, n int) []byte) (frames [][]byte) {
	most := 1 + rng.IntN(max(1, n/8))
	for off := 0; off < n; {
		size := 8 * (1 + rng.IntN(most))
		if off == 0 && size >= n {
			size = max(8, n/2/8*8) // else it is no fragment
		}
		frames = append(frames, build(off, size))
		off += size
	}
	for range min(int(repeat), 64) {
		units := max(1, n/8-1)
		off := 8 * rng.IntN(units)
		size := 8 * (1 + rng.IntN(units))
		if off == 0 && size >= n {
			continue
		}
		frames = append(frames, build(off, size))
	}
	rng.Shuffle(len(frames), func(i, j int) { frames[i], frames[j] = frames[j], frames[i] })
	return frames
}
