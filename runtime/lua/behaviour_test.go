package lua

import (
	"testing"
	"time"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event/hookdev"
)

// TestBehaviour compares what scripts report over a short life.
func TestBehaviour(t *testing.T) {
	t.Parallel()
	golden(t, "testdata/behaviour.txt", func(t *testing.T, src string) string {
		h := newHouse(t, engine.Limits{})
		if diags := h.load(src); len(diags) > 0 {
			return rendered(diags)
		}
		h.Start(1000e9)
		a, b := newConn(17), newConn(18)
		for _, step := range []func(){
			func() { h.start(a) },
			func() { h.start(b) },
			func() { h.advance(10 * time.Second) },
			func() { h.start(a) },
			func() { a.ended = true },
			func() { h.start(b) },
			func() { h.Stop(hookdev.StopReasonDone) },
		} {
			step()
			h.out.WriteString("--\n")
		}
		return h.take()
	})
}
