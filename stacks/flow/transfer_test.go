package flow_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow"
)

// transfer sends a text from client to server as the bytes of script ask: in pieces of any length, out
// of order, repeated, and through a rule that drops packets at any hook point. What did not pass is
// sent until it does. The receiver's stack has the text in the end, and was told each byte in order.
func transfer(t *testing.T, script []byte, keep bool) {
	next := func() int {
		if len(script) == 0 {
			return 255
		}
		b := script[0]
		script = script[1:]
		return int(b)
	}
	passed := false
	n := newNet(t, flow.Config{
		Verdicts: flow.Apply, TimeWait: time.Minute,
		Forward: func(o *flow.Outcome) { passed = o.Action == flow.Forwarded },
	})
	n.s.WantStreams(keep, keep)
	n.rec.rule = func(string) event.VerdictKind {
		if next()%8 == 0 {
			return flowev.VerdictDrop
		}
		return event.None
	}
	const text = "all of this has to arrive, once and in order, whatever comes first. "
	sent := strings.Repeat(text, 30)
	type piece struct{ off, end int }
	var queue []piece
	for off := 0; off < len(sent); {
		end := min(len(sent), off+1+next()/2)
		queue = append(queue, piece{off, end})
		off = end
	}
	until := func(f func() []byte) {
		for passed = false; !passed; {
			n.send(f())
		}
	}
	until(func() []byte { return n.c(0, 0, syn, "") })
	until(func() []byte { return n.srv(0, 1, syn|ack, "") })
	until(func() []byte { return n.c(1, 1, ack, "") })
	again := 0
	for len(queue) > 0 {
		how := next()
		i := how % min(len(queue), 5)
		p := queue[i]
		if n.send(n.c(uint32(1+p.off), 1, ack|psh, sent[p.off:p.end])); !passed {
			continue
		}
		if how&0x80 == 0 || again > 100 {
			queue = slices.Delete(queue, i, i+1)
		} else {
			again++ // the sender does not know that it arrived
		}
	}
	until(func() []byte { return n.c(uint32(1+len(sent)), 1, fin|ack, "") })
	c := n.conn().Client()
	if c.Bytes() != uint64(len(sent)) || c.Gaps() != 0 || n.states() != "fin_wait_1 close_wait" || c.Rexmits() > uint64(again) {
		t.Fatalf("%d of %d bytes, %d gaps, %d of at most %d again, %s", c.Bytes(), len(sent), c.Gaps(), c.Rexmits(), again, n.states())
	}
	if got, ok := c.Sent().Peek(0, true, 0, false); keep && (!ok || string(got) != sent) {
		t.Fatalf("kept %q", got)
	}
	if st := n.s.Stats(); st.Held != 0 || st.OutWindow != 0 || st.BadSYNs != 0 {
		t.Fatalf("%+v", st)
	}
}

func TestTransferThroughDrops(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 7))
		script := make([]byte, r.IntN(4000))
		for i := range script {
			script[i] = byte(r.Uint32())
		}
		transfer(t, script, seed%2 == 0)
	}
}

func FuzzTransfer(f *testing.F) {
	f.Add([]byte{}, true)
	f.Add([]byte("a piece of any length, in any order, and dropped where it pleases"), false)
	f.Add([]byte{200, 3, 0, 8, 1, 1, 1, 16, 7, 7, 0x83, 0x84, 0x81, 0, 0, 9, 9, 9, 0x80, 24}, true)
	f.Fuzz(func(t *testing.T, script []byte, keep bool) { transfer(t, script[:min(len(script), 8000)], keep) })
}
