package flow_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// shelf is a [flow.Storage]: the frames that were put on it, one behind the other.
type shelf struct {
	bytes  []byte
	frame  []byte // at hand: the end of bytes
	placed int
	read   int
	end    int // what lies behind can not be read any more; 0 for nothing
}

// put lends a frame, which is overwritten by the next.
func (f *shelf) put(frame []byte) []byte {
	for i := range f.frame {
		f.frame[i] = '#'
	}
	f.bytes = append(f.bytes, frame...)
	f.frame = append([]byte(nil), frame...)
	return f.frame
}

func (f *shelf) Place(b []byte) (int64, bool) {
	for i := range f.frame {
		if len(b) > 0 && &f.frame[i] == &b[0] {
			f.placed++
			return int64(len(f.bytes) - len(f.frame) + i), true
		}
	}
	return 0, false
}

func (f *shelf) ReadAt(b []byte, at int64) (int, error) {
	f.read++
	bytes := f.bytes
	if f.end > 0 {
		bytes = bytes[:f.end]
	}
	if at >= int64(len(bytes)) {
		return 0, io.EOF
	}
	n := copy(b, bytes[at:])
	if n < len(b) {
		return n, io.ErrUnexpectedEOF
	}
	return n, nil
}

// browse sends two streams, cut up, and says all that is told of them and all that handlers read, at places
// that the seed chooses.
func browse(t *testing.T, seed uint64, cfg flow.Config) (said string, st flow.Stats) {
	r := rand.New(rand.NewPCG(seed, 8))
	n := keeping(t, cfg)
	var log strings.Builder
	n.rec.on = func(e any) event.Verdict {
		if r.IntN(4) > 0 {
			return event.Verdict{}
		}
		if in, ok := e.(*flowev.Rexmit); ok && in.Old != nil {
			fmt.Fprintf(&log, "%s %v;", in.Old.Peek(0, false), in.Differ)
		}
		for _, s := range [2]flowev.Stream{n.conn().Client().Sent(), n.conn().Server().Sent()} {
			at := r.IntN(30000)
			switch r.IntN(6) {
			case 0:
				fmt.Fprint(&log, peek(s, r.IntN(6000), at), ";")
			case 1:
				fmt.Fprint(&log, peek(s, -1, -1), ";")
			case 2:
				fmt.Fprint(&log, take(t, s, "a", r.IntN(4000)), ";")
			case 3:
				fmt.Fprint(&log, ranges(s.Ranges()), ranges(s.Gaps()), ";")
			}
		}
		return event.Verdict{}
	}
	texts := [2]string{random(r, 20000+r.IntN(20000)), random(r, 1+r.IntN(2000))}
	parts := [2][][2]int{cutUp(r, texts[0]), cutUp(r, texts[1])}
	for len(parts[0])+len(parts[1]) > 0 {
		from := r.IntN(2)
		if len(parts[from]) == 0 {
			continue
		}
		p := parts[from][0]
		parts[from] = parts[from][1:]
		text := texts[from][p[0]:p[1]]
		if r.IntN(9) == 0 { // another copy than the first
			text = strings.ToUpper(text)
		}
		frame := n.srv(1+uint32(p[0]), 1, ack|psh, text)
		if from == 0 {
			frame = n.c(1+uint32(p[0]), 1, ack|psh, text)
		}
		fmt.Fprintln(&log, n.send(frame))
	}
	fmt.Fprint(&log, peek(n.conn().Client().Sent(), -1, -1), peek(n.conn().Server().Sent(), -1, -1))
	n.s.Close()
	fmt.Fprint(&log, n.rec.take())
	return log.String(), n.s.Stats()
}

// TestNotedIsAsStored compares a stack that notes where the bytes of streams are with one that copies them:
// whatever the limits, and whichever copy holds, nobody can tell.
func TestNotedIsAsStored(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]flow.Config{
		"defaults":      {},
		"small buffers": {BufferSide: 8 << 10, ReorderSide: 6 << 10},
		"small total":   {BufferTotal: 10 << 10},
		"latest holds":  {ClientOverlap: flow.OverlapLast, ServerOverlap: flow.OverlapLast},
		"no gap waits":  {GapWait: -1, BufferSide: 20 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			placed, read := 0, 0
			for seed := range uint64(25) {
				want, stored := browse(t, seed, cfg)
				on := &shelf{}
				cfg := cfg
				cfg.Storage = on
				got, noted := browse(t, seed, cfg)
				if got != want {
					t.Fatalf("seed %d: noted\n%.3000s\nstored\n%.3000s", seed, got, want)
				}
				if noted != stored {
					t.Fatalf("seed %d: noted %+v\nstored %+v", seed, noted, stored)
				}
				placed, read = placed+on.placed, read+on.read
			}
			if placed == 0 || read == 0 {
				t.Errorf("%d noted, %d read", placed, read)
			}
		})
	}
}

// TestNotedIsGone reads streams of a capture that was cut short since: bytes are missing, none are wrong, and
// what comes after is there.
func TestNotedIsGone(t *testing.T) {
	t.Parallel()
	on := &shelf{}
	n := keeping(t, flow.Config{Storage: on})
	first, second := strings.Repeat("a", 1500), strings.Repeat("b", 300)
	n.send(n.c(1, 1, ack|psh, first))
	on.end = len(on.bytes) - 10
	s := n.conn().Client().Sent()
	n.want("cut", peek(s, -1, 0)+peek(s, 4, 20)+ranges(s.Ranges()), "nilnil")
	n.send(n.c(1501, 1, ack|psh, second))
	on.end = 0
	n.want("what came since", peek(s, -1, -1), second)
	n.want("ranges", ranges(s.Ranges()), "1500+300")
	if st := n.s.Stats(); st.Unread != 1500 {
		t.Errorf("%d bytes unread", st.Unread)
	}
	n.send(n.c(1801, 1, ack|psh, second, pt.Window(9)))
	n.want("and then", peek(s, -1, -1), second+second)
	n.s.Close()
	if st := n.s.Stats(); st.Kept != 0 {
		t.Errorf("%d kept", st.Kept)
	}
}

// TestSmallPiecesAreStored reads nothing again of a stream that comes in small pieces.
func TestSmallPiecesAreStored(t *testing.T) {
	t.Parallel()
	on := &shelf{}
	n := keeping(t, flow.Config{Storage: on})
	for i := range uint32(400) {
		n.send(n.c(1+10*i, 1, ack|psh, "0123456789"))
	}
	s := n.conn().Client().Sent()
	n.want("all of it", peek(s, -1, 0), strings.Repeat("0123456789", 400))
	if on.placed+on.read > 0 {
		t.Errorf("%d noted, %d read", on.placed, on.read)
	}
}

// TestFirstCopiesUnread reads nothing of the file again for what is sent again, unless somebody reads first
// copies.
func TestFirstCopiesUnread(t *testing.T) {
	t.Parallel()
	for firsts, want := range map[bool]string{false: "data", true: "data:differ"} {
		s := &shelf{}
		n := newNet(t, flow.Config{Storage: s})
		n.s.WantStreams(true, firsts)
		n.open()
		n.send(n.c(1, 1, ack|psh, strings.Repeat("a", 1000)))
		n.want("again", n.send(n.c(1, 1, ack|psh, strings.Repeat("b", 1000))), "pkt_in.snd/C rexmit.snd/C:"+want+" pkt_in.rcv/S rexmit.rcv/S:"+want)
		if (s.read > 0) != firsts {
			t.Errorf("first copies wanted %v: read %d times", firsts, s.read)
		}
	}
}
