package flow_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/packet"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// random returns n printable bytes.
func random(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(' ' + r.IntN(90))
	}
	return string(b)
}

// cutUp returns a stream's segments as a lossy, reordering path shows them: pieces of any size,
// late, doubled, and repeated in other pieces.
func cutUp(r *rand.Rand, text string) (list [][2]int) {
	for off := 0; off < len(text); {
		n := min(1+r.IntN(1460), len(text)-off)
		list = append(list, [2]int{off, off + n})
		off += n
	}
	for range len(list) / 5 {
		off := r.IntN(len(text))
		at := r.IntN(len(list) + 1)
		list = slices.Insert(list, at, [2]int{off, min(off+1+r.IntN(2000), len(text))})
	}
	for i := range list {
		j := min(i+r.IntN(6), len(list)-1)
		list[i], list[j] = list[j], list[i]
	}
	return list
}

// TestRandomStreams sends two streams in both directions at once, cut up and mixed, and expects
// both back whole.
func TestRandomStreams(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 3))
		n := newNet(t, flow.Config{})
		n.cisn, n.sisn = 1<<32-1-r.Uint32N(20000), 1<<32-1-r.Uint32N(20000)
		texts := [2]string{random(r, 1+r.IntN(40000)), random(r, 1+r.IntN(40000))}
		parts := [2][][2]int{cutUp(r, texts[0]), cutUp(r, texts[1])}
		n.open(pt.WScale(7))
		var sent [2]uint32 // the end of what each sent
		for len(parts[0])+len(parts[1]) > 0 {
			from := r.IntN(2)
			if len(parts[from]) == 0 {
				continue
			}
			p := parts[from][0]
			parts[from] = parts[from][1:]
			sent[from] = max(sent[from], uint32(p[1]))
			if from == 0 {
				n.send(n.c(1+uint32(p[0]), 1, ack|psh, texts[0][p[0]:p[1]]))
			} else {
				n.send(n.srv(1+uint32(p[0]), 1, ack|psh, texts[1][p[0]:p[1]]))
			}
		}
		n.want("client's bytes", n.got(flowev.SideClient), texts[0])
		n.want("server's bytes", n.got(flowev.SideServer), texts[1])
		n.send(n.c(1+sent[0], 1+sent[1], fin|ack, ""), n.srv(1+sent[1], 2+sent[0], fin|ack, ""), n.c(2+sent[0], 2+sent[1], ack, ""))
		n.want("ends", n.ends(), "40000:fin")
		if st := n.s.Stats(); st.Held != 0 || st.NotHeld != 0 || st.OutWindow != 0 {
			t.Errorf("seed %d: %+v", seed, st)
		}
	}
}

// chaos feeds a stack what a fuzzer's bytes ask for: segments of two address pairs with numbers
// close to each other, broken frames, and jumps of time.
func chaos(s *flow.Stack, in []byte) {
	ends := [2][2]int{{0, 1}, {2, 1}}
	ports := [3]uint16{40000, 80, 40001}
	now := start
	for ; len(in) >= 6; in = in[6:] {
		pair := ends[in[0]&1]
		if in[0]&2 != 0 {
			pair[0], pair[1] = pair[1], pair[0]
		}
		a, b := endpoint(ports[pair[0]]), endpoint(ports[pair[1]])
		seq, to := uint32(int8(in[1])), uint32(int8(in[2]))
		if in[0]&4 != 0 {
			seq <<= 24
		}
		opts := []pt.Option{pt.Window(uint16(in[5]) << 4)}
		if in[0]&8 != 0 {
			opts = append(opts, pt.WScale(in[5]&15), pt.MSS(uint16(in[5])))
		}
		f := pt.TCP(a, b, seq, to, packet.Flags(in[3]), make([]byte, in[4]&63), opts...)
		wire := len(f)
		switch in[4] >> 6 {
		case 1:
			f = f[:max(0, len(f)-int(in[5]&31))] // the capture's length is that of the wire
		case 2:
			f[int(in[5])%len(f)] ^= in[4]
		case 3:
			now += int64(in[5]) * int64(time.Second)
		}
		if in[0]&16 != 0 {
			now -= int64(time.Second)
		}
		s.Frame(packet.LinkEthernet, f, wire, now)
	}
}

// FuzzEvents checks what is true of the events of any input, that they come again where each segment goes the
// long way, and that connections end no other way where nobody looks on.
func FuzzEvents(f *testing.F) {
	f.Add([]byte{0, 0, 0, 2, 0, 200, 2, 9, 1, 18, 0, 200, 0, 1, 10, 16, 5, 200, 0, 6, 10, 17, 0, 200, 2, 10, 7, 17, 0, 200, 0, 7, 11, 16, 0, 200})
	f.Add([]byte{0, 0, 0, 2, 0, 200, 0, 50, 0, 2, 0, 9, 2, 9, 51, 18, 0, 200, 1, 0, 0, 2, 3, 1, 2, 9, 51, 4, 0, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		in = in[:min(len(in), 600)]
		for _, how := range settings {
			k, s := newChecker(t, how)
			chaos(s, in)
			k.done(s)
			again, s := newChecker(t, how.applied())
			chaos(s, in)
			again.done(s)
			if string(k.log) != string(again.log) {
				t.Errorf("two runs differ:\n%s\n%s", k.log, again.log)
			}
			if how.rules {
				continue
			}
			u, s := newUnseen(how)
			chaos(s, in)
			if s.Close(); string(*u) != string(k.ends) {
				t.Errorf("ends that nobody saw come differ:\n%s\n%s", *u, k.ends)
			}
		}
	})
}

// TestChaos is the fuzz target on random bytes.
func TestChaos(t *testing.T) {
	t.Parallel()
	flags := []byte{2, 18, 16, 24, 16, 17, 4, 20, 16}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 4))
		in := make([]byte, 6*200)
		for i := range in {
			switch i % 6 {
			case 3:
				in[i] = flags[r.IntN(len(flags))]
			case 1, 2:
				in[i] = byte(r.IntN(12))
			case 0:
				in[i] = byte(r.IntN(4))
			default:
				in[i] = byte(r.Uint32())
			}
		}
		how := settings[int(seed)%len(settings)]
		k, s := newChecker(t, how)
		chaos(s, in)
		k.done(s)
		again, s := newChecker(t, how.applied())
		chaos(s, in)
		if again.done(s); string(k.log) != string(again.log) {
			t.Errorf("seed %d: two runs differ", seed)
		}
	}
}
