package flow_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// keeping is a net whose streams are kept, with an open connection.
func keeping(t testing.TB, cfg flow.Config) *net {
	n := newNet(t, cfg)
	n.s.WantStreams(true, true)
	n.open()
	return n
}

// ranges renders what Ranges and Gaps return as "0+5 9+3".
func ranges(list any) string {
	var words []string
	for _, r := range list.([]any) {
		kv := r.([]event.KV)
		words = append(words, fmt.Sprintf("%v+%v", kv[0].Value, kv[1].Value))
	}
	return strings.Join(words, " ")
}

// peek reads a stream; n and offset of -1 are absent.
func peek(s flowev.Stream, n, offset int) string {
	b, ok := s.Peek(uint64(max(offset, 0)), offset >= 0, uint32(max(n, 0)), n >= 0)
	if !ok {
		return "nil"
	}
	return string(b)
}

// take takes as a script; n of -1 is all.
func take(t testing.TB, s flowev.Stream, script string, n int) string {
	b, lost, err := s.Take(&event.Caller{Script: script}, uint32(max(n, 0)), n >= 0)
	if err != nil {
		return err.Error()
	}
	if lost > 0 {
		return fmt.Sprintf("%s after %d", b, lost)
	}
	return string(b)
}

func TestPeek(t *testing.T) {
	t.Parallel()
	n := keeping(t, flow.Config{})
	s := n.conn().Client().Sent()
	n.want("empty", peek(s, -1, -1)+ranges(s.Ranges())+ranges(s.Gaps()), "nil")
	n.send(n.c(1, 1, ack|psh, "hello "), n.c(7, 1, ack|psh, "world"), n.c(15, 1, ack|psh, "later"))
	for _, c := range []struct {
		n, offset int
		want      string
	}{
		{-1, -1, "hello world"},
		{5, -1, "hello"},
		{5, 6, "world"},
		{-1, 6, "world"},
		{100, 9, "ld"},
		{0, 0, ""},
		{-1, 14, "later"},
		{2, 16, "te"},
		{-1, 11, "nil"},
		{1, 19, "nil"},
		{-1, 1 << 40, "nil"},
		{0, 12, "nil"},
	} {
		n.want(fmt.Sprintf("peek(%d, %d)", c.n, c.offset), peek(s, c.n, c.offset), c.want)
	}
	n.want("ranges", ranges(s.Ranges()), "0+11 14+5")
	n.want("gaps", ranges(s.Gaps()), "11+3")
	if s.Len() != 11 || s.From() != flowev.SideClient || s.ID() != 1 || s.Label() != "stream of the client of connection 1" || s.Ended() {
		t.Errorf("length %d, from %v, %d %s", s.Len(), s.From(), s.ID(), s.Label())
	}
	if b, ok := s.Peek(1<<63+1, true, 1, true); ok || b != nil {
		t.Error("a place beyond all places is there")
	}
}

// TestPeekInHandlers reads the bytes of the packet at hand as part of the stream, in every event that
// the receiver's stack raises.
func TestPeekInHandlers(t *testing.T) {
	t.Parallel()
	n := keeping(t, flow.Config{})
	n.send(n.c(1, 1, ack|psh, "one "), n.c(9, 1, ack|psh, "three"))
	var got []string
	n.rec.rule = func(at string) event.VerdictKind {
		s := n.conn().Client().Sent()
		got = append(got, fmt.Sprintf("%s:%s:%d:%s", at, peek(s, -1, 0), s.Len(), ranges(s.Ranges())))
		return 0
	}
	n.send(n.c(3, 1, ack|psh, "e two t"))
	n.want("in the handlers", strings.Join(got, " / "), "pkt_in.snd:one :4:0+4 8+5 / rexmit.snd:one :4:0+4 8+5 / "+
		"pkt_in.rcv:one two three:13:0+13 / rexmit.rcv:one two three:13:0+13 / new_data:one two three:13:0+13")
	n.want("behind", peek(n.conn().Client().Sent(), -1, -1), "one two three")
}

func TestTake(t *testing.T) {
	t.Parallel()
	n := keeping(t, flow.Config{GapWait: -1})
	s := n.conn().Client().Sent()
	n.want("nothing yet", take(t, s, "a", -1), "")
	n.send(n.c(1, 1, ack|psh, "abcdef"))
	n.want("some", take(t, s, "a", 2), "ab")
	n.want("another script's own", take(t, s, "b", -1), "abcdef")
	n.want("the rest", take(t, s, "a", -1), "cdef")
	n.want("no more", take(t, s, "a", -1), "")
	n.send(n.c(10, 1, ack|psh, "jkl"))
	n.want("not behind a hole", take(t, s, "a", -1), "")
	n.send(n.srv(1, 13, ack, ""))
	n.want("behind a gap", take(t, s, "a", -1), "jkl after 3")
	n.want("peek moves nothing", peek(s, -1, 0)+take(t, s, "b", 1), "abcdefj after 3")
	if _, _, err := s.Take(nil, 0, false); err != nil {
		t.Error(err)
	}
	for i := range 64 {
		take(t, s, fmt.Sprint("script", i), 1)
	}
	n.want("too many", take(t, s, "one more", 1), "flow: at most 64 scripts take from one stream")
	n.s.Close()
	n.want("ended", take(t, s, "a", 1), "flow: the connection ended")
}

// TestTakeOnTrial checks that a script which is only tried begins where the live
// one is, moves nothing of it, and begins anew in the next trial.
func TestTakeOnTrial(t *testing.T) {
	t.Parallel()
	n := keeping(t, flow.Config{GapWait: -1})
	s := n.conn().Client().Sent()
	try := func(trial uint64, script string, most uint32) string {
		b, _, err := s.Take(&event.Caller{Script: script, Shadow: trial}, most, true)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	n.send(n.c(1, 1, ack|psh, "abcdef"))
	n.want("the live one", take(t, s, "a", 2), "ab")
	n.want("tried", try(1, "a", 3), "cde")
	n.want("a script that is not live", try(1, "b", 3), "abc")
	n.want("tried, further", try(1, "a", 9), "f")
	n.want("the live one, not moved", take(t, s, "a", 1), "c")
	n.want("the next trial", try(2, "a", 2)+try(2, "b", 1), "dea")
}

func TestStreamsNotKept(t *testing.T) {
	t.Parallel()
	n := newNet(t, flow.Config{})
	n.open()
	n.send(n.c(1, 1, ack|psh, "abc"), n.c(9, 1, ack|psh, "waits"))
	s := n.conn().Client().Sent()
	n.want("take", take(t, s, "a", 1), "flow: streams are not kept")
	n.want("peek", peek(s, -1, 0)+" "+peek(s, -1, 8)+" "+ranges(s.Ranges()), "nil waits 8+5")
	n.s.WantStreams(true, true)
	n.send(n.c(4, 1, ack|psh, "defg"))
	n.want("from then on", peek(s, -1, -1)+" "+take(t, s, "a", -1), "defg defg after 3")
	n.s.WantStreams(false, false)
	n.want("and no longer", ranges(s.Ranges()), "8+5")
	if st := n.s.Stats(); st.Kept != 0 || st.Held == 0 {
		t.Errorf("%d kept, %d held", st.Kept, st.Held)
	}
}

// TestReadAtTheEnd reads a stream while conn_end is handled, behind a RST too.
func TestReadAtTheEnd(t *testing.T) {
	t.Parallel()
	n := keeping(t, flow.Config{})
	n.send(n.c(1, 1, ack|psh, "abc"), n.c(7, 1, ack|psh, "ghi"))
	got := ""
	n.rec.on = func(e any) event.Verdict {
		if end, ok := e.(*flowev.ConnEnd); ok {
			s := end.C.Client().Sent()
			got = peek(s, -1, -1) + " " + ranges(s.Ranges()) + " " + take(t, s, "x", -1)
		}
		return event.Verdict{}
	}
	n.send(n.srv(1, 4, rst|ack, ""))
	n.want("at conn_end", got, "abc 0+3 6+3 abc")
	if st := n.s.Stats(); st.Kept != 0 || st.Held != 0 {
		t.Errorf("%d kept, %d held", st.Kept, st.Held)
	}
}

// TestBufferFull is row 32: bytes leave the buffer, and a handler may take them before they do.
func TestBufferFull(t *testing.T) {
	t.Parallel()
	block := strings.Repeat("0123456789abcdef", 128) // 2 KiB
	next := func(n *net, i int) string { return n.send(n.c(uint32(1+2048*i), 1, ack|psh, block)) }
	const quiet = "pkt_in.snd/C pkt_in.rcv/S "
	data := func(i int) string { return fmt.Sprintf("new_data/S:%d+2048", 2048*i) }

	n := keeping(t, flow.Config{BufferSide: 4096})
	n.want("fits", next(n, 0)+next(n, 1), quiet+data(0)+quiet+data(1))
	n.want("nobody takes", next(n, 2), quiet+"error/S:buffer_full:2048 "+data(2))
	s := n.conn().Client().Sent()
	n.want("ranges", ranges(s.Ranges()), "2048+4096")
	n.want("7 older than the buffer, and sent again", n.send(n.c(1, 1, ack|psh, block)),
		"pkt_in.snd/C rexmit.snd/C:data pkt_in.rcv/S rexmit.rcv/S:data")
	n.want("lost", take(t, s, "a", 16), "0123456789abcdef after 2048")
	n.want("what it has not taken", next(n, 3), quiet+"error/S:buffer_full:2032 "+data(3))
	n.want("ranges", ranges(s.Ranges()), "4096+4096")
	for len(take(t, s, "a", -1)) > 0 {
	}
	n.want("all taken", next(n, 4), quiet+data(4))
	take(t, s, "b", 16)
	n.want("by one of two", next(n, 5), quiet+"error/S:buffer_full:2032 "+data(5))

	var saved []string
	n.rec.on = func(e any) event.Verdict {
		if _, ok := e.(*flowev.Error); ok {
			bytes, _, _ := strings.Cut(take(t, s, "b", -1), " after")
			saved = append(saved, fmt.Sprint(len(bytes)))
		}
		return event.Verdict{}
	}
	next(n, 6)
	n.want("taken in the handler, with the new", strings.Join(saved, " "), "6144")
	if st := n.s.Stats(); st.Slid != 5*2048 || st.Kept != 4096 {
		t.Errorf("%d slid, %d kept", st.Slid, st.Kept)
	}
}

// TestBuffersFull fills all buffers together: the connections that come later keep nothing, and no
// more is ever kept.
func TestBuffersFull(t *testing.T) {
	t.Parallel()
	n := keeping(t, flow.Config{BufferTotal: 8192})
	block := strings.Repeat("x", 2048)
	for i := range 4 {
		n.send(n.c(uint32(1+2048*i), 1, ack|psh, block))
	}
	n.want("slides for itself", n.send(n.c(1+4*2048, 1, ack|psh, block)), "pkt_in.snd/C pkt_in.rcv/S error/S:limit:2048 new_data/S:8192+2048")
	n.from(2).open()
	s := n.conn().Client().Sent()
	took := ""
	n.rec.on = func(e any) event.Verdict {
		if _, ok := e.(*flowev.Error); ok {
			took = take(t, s, "a", 3)
		}
		return event.Verdict{}
	}
	n.want("no room at all", n.send(n.c(1, 1, ack|psh, "abcdef")), "pkt_in.snd/C pkt_in.rcv/S error/S:limit:6 new_data/S:0+6")
	n.want("taken in time", took, "abc")
	n.want("gone", ranges(s.Ranges()), "")
	if st := n.s.Stats(); st.Kept != 8192 || st.Slid != 2048+6 {
		t.Errorf("%+v", st)
	}
	n.s.Close()
	if st := n.s.Stats(); st.Kept != 0 {
		t.Errorf("%d kept", st.Kept)
	}
}

// TestLongRun reads at once more than a stream keeps.
func TestLongRun(t *testing.T) {
	t.Parallel()
	n := keeping(t, flow.Config{BufferSide: 4096})
	block := strings.Repeat("y", 2048)
	for i := 1; i < 6; i++ {
		n.send(n.c(uint32(1+2048*i), 1, ack|psh, block))
	}
	n.want("the hole", n.send(n.c(1, 1, ack|psh, block)), "pkt_in.snd/C rexmit.snd/C:data pkt_in.rcv/S error/S:buffer_full:8192 new_data/S:0+12288")
	n.want("the latest are kept", ranges(n.conn().Client().Sent().Ranges()), "8192+4096")
}

// TestFirstCopy shows what a packet that comes again brought the first time.
func TestFirstCopy(t *testing.T) {
	t.Parallel()
	n := keeping(t, flow.Config{})
	var got []string
	n.rec.on = func(e any) event.Verdict {
		if r, ok := e.(*flowev.Rexmit); ok {
			word := fmt.Sprint(r.HasDiffer, r.Differ)
			if r.Old != nil {
				word += fmt.Sprintf(" %d:%s from %v", r.Old.Offset(), r.Old.Peek(0, false), r.Old.From())
			}
			got = append(got, word)
		}
		return event.Verdict{}
	}
	for _, c := range []struct {
		name  string
		frame []byte
		want  string // at both hook points, or at snd / at rcv
	}{
		{"SYN", n.c(0, 0, syn, ""), "false false"},
		{"the same", n.c(2, 1, ack|psh, "bcd"), "true false 1:bcd from client"},
		{"others", n.c(2, 1, ack|psh, "bXd"), "true true 1:bcd from client"},
		{"old and new", n.c(5, 1, ack|psh, "ef!"), "true false 4:ef from client"},
		{"over a hole", n.c(6, 1, ack|psh, "fgh__kLM"), "true true 5:f!h from client"},
		{"keep-alive", n.c(13, 1, ack, "\x00"), "true true 12:M from client"},
	} {
		if c.name == "the same" {
			n.send(n.c(1, 1, ack|psh, "abc"), n.c(4, 1, ack|psh, "def"))
		}
		if c.name == "over a hole" {
			n.send(n.c(8, 1, ack|psh, "h"), n.c(11, 1, ack|psh, "kl"))
		}
		if c.name == "keep-alive" {
			n.send(n.srv(1, 14, ack, ""))
		}
		got = nil
		n.send(c.frame)
		n.want(c.name, strings.Join(got, " / "), c.want+" / "+c.want)
	}
}

// TestOverlapLast makes the later copy hold: in what is read from then on, and in the stream.
func TestOverlapLast(t *testing.T) {
	t.Parallel()
	n := keeping(t, flow.Config{ClientOverlap: flow.OverlapLast})
	n.send(n.c(1, 1, ack|psh, "abc"), n.c(7, 1, ack|psh, "ghi"))
	n.want("what waits", n.send(n.c(6, 1, ack|psh, "FGH")), "pkt_in.snd/C rexmit.snd/C:data:differ pkt_in.rcv/S rexmit.rcv/S:data:differ")
	n.want("and what fills the hole", n.send(n.c(3, 1, ack|psh, "Cdef")), "pkt_in.snd/C rexmit.snd/C:data:differ pkt_in.rcv/S rexmit.rcv/S:data:differ new_data/S:3+6")
	n.want("read", n.got(flowev.SideClient), "abcdefGHi")
	n.want("kept", peek(n.conn().Client().Sent(), -1, -1), "abCdefGHi")
	n.send(n.srv(1, 1, ack|psh, "123"), n.srv(2, 1, ack|psh, "XYZ"))
	n.want("the other side has its own", n.got(flowev.SideServer)+" "+peek(n.conn().Server().Sent(), -1, -1), "123Z 123Z")
}

// TestUndoneTake gives back to a script what it took of a packet that was then dropped.
func TestUndoneTake(t *testing.T) {
	t.Parallel()
	g := newGate(t, flow.Config{})
	g.s.WantStreams(true, true)
	g.open()
	g.send(g.c(1, 1, ack|psh, "abc"))
	s := g.conn().Client().Sent()
	var took []string
	drop := true
	g.rec.rule = func(at string) event.VerdictKind {
		if at != "new_data" {
			return 0
		}
		took = append(took, take(t, s, "a", -1), peek(s, -1, -1))
		if drop {
			return flowev.VerdictDrop
		}
		return 0
	}
	f := g.c(4, 1, ack|psh, "def", pt.TTL(9))
	g.send(f)
	g.want("after the drop", peek(s, -1, -1)+" "+ranges(s.Ranges()), "abc 0+3")
	drop = false
	g.send(f)
	g.want("taken", strings.Join(took, " "), "abcdef abcdef def abcdef")
}
