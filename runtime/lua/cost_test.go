package lua

import (
	"testing"
	"time"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
)

// TestNothingAllocates holds what costs nothing to its word.
func TestNothingAllocates(t *testing.T) {
	for _, tt := range []struct{ name, src string }{
		{"unsubscribed", unsubscribed},
		{"native match that fails", nativeMiss},
		{"native match of two", nativeTwo},
		{"native match of a store", `local bad = store "bad" { kind = "set", key = "ip" }
			rule "a" { on = flow.conn_start, match = { client = { ip = bad } }, verdict = flow.cut }`},
	} {
		emit, done := emitter(t, tt.src)
		if n := testing.AllocsPerRun(1000, emit); n != 0 {
			t.Errorf("%s: %v allocations", tt.name, n)
		}
		done()
	}
}

// TestCostRatios compares with an empty protected call of gopher-lua, measured
// in turns in the same run; the best round of each counts.
func TestCostRatios(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector distorts the ratios")
	}
	h := newHouse(t, engine.Limits{})
	if diags := h.load(nativeMiss); len(diags) > 0 {
		t.Fatal(rendered(diags))
	}
	h.Start(1000e9)
	s := h.Shard(0)
	s.Enter()
	defer s.Leave()
	call := protectedCall(t)
	start := &flowev.ConnStart{C: newConn(17), Pkt: &packet{len: 60}}
	rexmit := &flowev.Rexmit{}
	var verdicts int
	count := func(v event.Verdict) {
		if v.Decided() {
			verdicts++
		}
	}
	const calls, rounds = 20_000, 40
	best := func(old time.Duration, fn func()) time.Duration {
		begin := time.Now()
		fn()
		if took := time.Since(begin); old == 0 || took < old {
			return took
		}
		return old
	}
	var protected, unwanted, native time.Duration
	for range rounds {
		protected = best(protected, func() {
			for range calls {
				call()
			}
		})
		unwanted = best(unwanted, func() {
			for range calls {
				if flowev.OnRexmitRcv.Wanted(s) {
					count(flowev.OnRexmitRcv.Emit(s, rexmit))
				}
			}
		})
		native = best(native, func() {
			for range calls {
				if flowev.OnConnStartSnd.Wanted(s) {
					count(flowev.OnConnStartSnd.Emit(s, start))
				}
			}
		})
	}
	if verdicts != 0 {
		t.Errorf("%d verdicts of rules that do not match", verdicts)
	}
	each := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / calls }
	t.Logf("protected call %.1f ns, unsubscribed %.2f ns, native match %.1f ns", each(protected), each(unwanted), each(native))
	for _, r := range []struct {
		name      string
		got, most float64
	}{
		{"unsubscribed", float64(unwanted) / float64(protected), 0.06},
		{"native match", float64(native) / float64(protected), 0.7},
	} {
		t.Logf("%s: %.3f of a protected call", r.name, r.got)
		if r.got > r.most {
			t.Errorf("%s: %.3f of a protected call, want at most %v", r.name, r.got, r.most)
		}
	}
}
