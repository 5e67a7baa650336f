package lua

import (
	"runtime"
	"testing"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
)

// TestMachineMemory holds that a script's machine keeps little: what is live, when
// the collector has run, of many that were staged from one program. The aim is
// 64 KiB.
func TestMachineMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector takes memory of its own")
	}
	h := newHouse(t, engine.Limits{})
	rt := New(Config{Catalogue: h.Catalogue(), Functions: h.Functions(), Limits: h.Limits()})
	for _, tt := range []struct {
		name, src string
		most      uint64
	}{
		{"one rule", fiveFields, 64 << 10},
		{"a guard, state and a filter", counter + guarded + filterMiss, 70 << 10},
	} {
		p, diags := rt.Compile(engine.Source{Path: "t.lua", Text: []byte(tt.src)})
		if p == nil {
			t.Fatal(rendered(diags))
		}
		live := func() uint64 {
			runtime.GC()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		const machines = 50
		var kept [machines]engine.Instance
		before := live()
		for i := range kept {
			in, _, diags := p.Stage(&engine.Env{Shard: event.NewShard(0)})
			if kept[i] = in; diags.HasErrors() {
				t.Fatal(rendered(diags))
			}
		}
		each := (live() - before) / machines
		t.Logf("%s: %.1f KiB a machine", tt.name, float64(each)/1024)
		if each > tt.most {
			t.Errorf("%s: %d bytes a machine, want at most %d", tt.name, each, tt.most)
		}
		for _, in := range kept {
			in.Close()
		}
	}
}
