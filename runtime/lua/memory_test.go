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
		const machines = 50
		var kept [machines]engine.Instance
		before, _ := inUse()
		for i := range kept {
			in, _, diags := p.Stage(&engine.Env{Shard: event.NewShard(0)})
			if kept[i] = in; diags.HasErrors() {
				t.Fatal(rendered(diags))
			}
		}
		after, _ := inUse()
		each := uint64(after-before) / machines
		t.Logf("%s: %.1f KiB a machine", tt.name, float64(each)/1024)
		if each > tt.most {
			t.Errorf("%s: %d bytes a machine, want at most %d", tt.name, each, tt.most)
		}
		for _, in := range kept {
			in.Close()
		}
	}
}

// inUse returns how many bytes of heap are live, and of goroutines' stacks in use.
func inUse() (heap, stack int64) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc), int64(m.StackInuse)
}

// TestMemoryOfWaiting holds that what waits keeps little: 6 KiB in all, of heap and
// of stacks, with everything that the engine keeps of it. Where a metamethod, an
// iterator or a library function calls what waits, Go's stack is kept besides.
func TestMemoryOfWaiting(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector takes memory of its own")
	}
	many := int64(2000)
	if testing.Short() {
		many = 500
	}
	for _, tt := range []struct {
		name, body string
		most       int64
	}{
		{"a handler", `sleep "1h"`, 6 << 10},
		{"a handler's function", `local id = c.id local function rest(n) local ok, err = sleep "1h" return ok, err, n, id end return rest(1)`, 6 << 10},
		{"a handler in a protected call", `local ok, err = pcall(function() return sleep "1h" end)`, 17 << 9},
		{"a task", `spawn(function(n) sleep "1h" print(n) end, c.id)`, 6 << 10},
		{"a task in a protected call", `spawn(function(n) print(pcall(function() sleep "1h" return n end)) end, c.id)`, 15 << 9},
		{"a task in a coroutine", `spawn(function(n) coroutine.wrap(function() sleep "1h" end)() end, c.id)`, 15 << 9},
		{"a task in an iterator", `spawn(function() for _ in function() return sleep "1h" end do end end)`, 10 << 10},
	} {
		p := newPond(t, engine.Limits{}).up(`rule "a" { on = flow.conn_start, run = function(c) ` + tt.body + ` end }`)
		conns := make([]*conn, many)
		for i := range conns {
			conns[i] = newConn(1)
			conns[i].id = uint64(i + 2)
		}
		p.await(newConn(1))
		heap, stack := inUse()
		for _, c := range conns {
			p.await(c)
		}
		moreHeap, moreStack := inUse()
		heap, stack = (moreHeap-heap)/many, max(moreStack-stack, 0)/many
		t.Logf("%s that waits: %d bytes, of them %d of stack", tt.name, heap+stack, stack)
		if heap+stack > tt.most {
			t.Errorf("%s that waits: %d bytes of heap and %d of stack, want at most %d", tt.name, heap, stack, tt.most)
		}
		if st := p.Stats(); int64(st.Waiting) != many+1 {
			t.Errorf("%s: %d wait", tt.name, st.Waiting)
		}
	}
}
