package lua

import (
	"fmt"
	"os"
	goruntime "runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/engine/reload"
	"github.com/hookd/hookd/engine/watch"
)

// counting is a runtime that counts the machines that are open, and those that
// anything refers to.
type counting struct {
	engine.Runtime
	*machines
}

type machines struct {
	open atomic.Int64
	mu   sync.Mutex
	made []weak.Pointer[instance]
}

// referred counts the machines that the collector found referred to.
func (m *machines) referred() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget()
	return int64(len(m.made))
}

// forget lets go of the pointers to machines that are gone: thousands of them would
// be measured, too. The caller has the lock.
func (m *machines) forget() {
	m.made = slices.DeleteFunc(m.made, func(p weak.Pointer[instance]) bool { return p.Value() == nil })
}

func (c counting) Compile(src engine.Source) (engine.Program, diag.List) {
	p, diags := c.Runtime.Compile(src)
	if p == nil {
		return nil, diags
	}
	return countingProgram{p, c.machines}, diags
}

type countingProgram struct {
	engine.Program
	*machines
}

func (p countingProgram) Stage(env *engine.Env) (engine.Instance, *engine.Plan, diag.List) {
	in, plan, diags := p.Program.Stage(env)
	p.open.Add(1)
	if made, ok := in.(*instance); ok {
		p.mu.Lock()
		if p.made = append(p.made, weak.Make(made)); len(p.made)%64 == 0 {
			p.forget()
		}
		p.mu.Unlock()
	}
	return &countingInstance{Instance: in, open: &p.open}, plan, diags
}

type countingInstance struct {
	engine.Instance
	open   *atomic.Int64
	closed atomic.Bool
}

func (in *countingInstance) Close() {
	if !in.closed.Swap(true) {
		in.open.Add(-1)
	}
	in.Instance.Close()
}

// loaded is an engine with shards that are driven by goroutines of their own.
type loaded struct {
	*engine.Engine
	machines
	shards int
}

func newLoaded(t *testing.T, cfg engine.Config) *loaded {
	cat := catalogue.New(catalogue.All()...)
	l := &loaded{shards: cfg.Shards}
	cfg.Catalogue, cfg.Drive = cat, event.Apart
	l.Engine = engine.New(cfg)
	l.Use(counting{New(Config{Catalogue: cat, Functions: l.Functions(), Limits: l.Limits()}), &l.machines})
	t.Cleanup(l.Close)
	return l
}

// traffic raises events on each shard until stop is closed; it returns how many
// connections had their rule run, and how many began.
func (l *loaded) traffic(stop chan struct{}) (ran, began *atomic.Int64, wait func()) {
	ran, began = new(atomic.Int64), new(atomic.Int64)
	var all sync.WaitGroup
	for i := range l.shards {
		all.Go(func() {
			s := l.Shard(i)
			for id := uint64(i + 1); ; id += uint64(l.shards) {
				select {
				case <-stop:
					return
				default:
				}
				c := numbered(id)
				s.Enter()
				s.Advance(1000e9 + int64(id)*1e6)
				v := flowev.OnConnStartSnd.Emit(s, &flowev.ConnStart{C: c, Pkt: &packet{len: 60}, Side: flowev.SideClient})
				flowev.OnNewData.Emit(s, &flowev.NewData{C: c, D: &chunk{text: "hello"}, Side: flowev.SideServer})
				c.ended = true
				c.slots.End()
				s.Leave()
				began.Add(1)
				if v.Decided() {
					ran.Add(1)
				}
				if id%64 < uint64(l.shards) {
					time.Sleep(100 * time.Microsecond)
				}
			}
		})
	}
	return ran, began, all.Wait
}

// numbered returns a connection with a number beyond those of addresses.
func numbered(id uint64) *conn {
	c := newConn(id%255 + 1)
	c.id = id
	return c
}

// heap is what is alive after a collection, while no event is on its way; refers is
// how many machines are.
func (l *loaded) heap() (bytes uint64, refers int64) {
	for i := range l.shards {
		l.Shard(i).Enter()
		defer l.Shard(i).Leave()
	}
	goruntime.GC()
	goruntime.GC()
	var m goruntime.MemStats
	goruntime.ReadMemStats(&m)
	return m.HeapAlloc, l.referred()
}

// version is a script of the leak test; one in five does not load.
func version(n int) string {
	if n%5 == 3 {
		return fmt.Sprintf("rule \"cut\" { on = flow.conn_start, verdict = flow.nothing } -- %d", n)
	}
	return fmt.Sprintf(`-- %d
		local part = require "part"
		state { loads = 0 }
		state.loads = state.loads + 1
		local seen = store "seen" { kind = "counter", key = "string", max = 100 }
		handler "later" { on = flow.new_data, run = function(c, d) c.data.later = d.len end }
		event "greeting" { on = flow.new_data, when = function(c, d) return d:starts(part.of("hel")) end }
		event "again" {}
		rule "cut" { on = flow.conn_start, run = function(c)
			c.data.n = %d
			seen:incr("n")
			if c.id %% 3 == 0 then c:on(flow.new_data, "later") else c:on(flow.new_data, function(c, d) c.data.n = d.len end) end
			if c.id %% 5 == 0 then c:after("90s", function() state.late = part.of("x") end) end
			return flow.cut
		end }
		rule "greets" { on = event.greeting, run = function(c, d) raise("again", { n = c.id }) end }
		rule "often" { on = event.greeting, threshold = { by = "client.ip", count = 3, within = "10s", fire = "each" }, run = function(c) c:tag("often") end }
		rule "heard" { on = event.again, run = function() state.heard = (state.heard or 0) + 1 end }
		timer "t" { every = "60s", run = function() state.ticks = (state.ticks or 0) + 1 end }
		timer "task" { every = "45s", run = function() spawn(function() sleep("1s") state.slept = part.of("y") end) end }`, n, n)
}

// TestReloadsLeakNothing publishes scripts again and again, one in five broken,
// while events come on two shards: each event has its rule, each valid content
// is published once, and what is left behind is what is live.
func TestReloadsLeakNothing(t *testing.T) {
	reloads := 150
	if os.Getenv("HOOKD_CI") == "1" && !testing.Short() {
		reloads = 600
	}
	l := newLoaded(t, engine.Config{Shards: 2})
	r := reload.New(reload.Config{Engine: l})
	apply := func(n int) reload.Outcome {
		return r.Apply(watch.Change{Sources: []engine.Source{
			{Path: "a.lua", Text: []byte(version(n))},
			{Path: "b.lua", Text: []byte(`rule "b" { on = flow.conn_start, run = function(c) c.data.b = c.id end }`)},
			{Path: "lib/part.lua", Base: ".", Module: "part", Text: []byte(fmt.Sprintf("return { of = function(s) return s end } -- %d", n/2))},
			{Path: fmt.Sprintf("once%d.lua", n%7), Text: []byte(`state { n = 1 } rule "c" { on = flow.new_data, run = function(c) c.data.c = 1 end }`)},
		}})
	}
	if out := apply(0); out.Err != nil {
		t.Fatal(out.Err, out.Diags)
	}
	l.Start(1000e9)
	stop := make(chan struct{})
	ran, began, wait := l.traffic(stop)
	goroutines := goruntime.NumGoroutine()
	// Connections that stay, with handlers bound in all generations.
	var idle []*conn
	stay := func(id uint64) {
		s := l.Shard(0)
		s.Enter()
		defer s.Leave()
		c := numbered(id)
		flowev.OnConnStartSnd.Emit(s, &flowev.ConnStart{C: c, Pkt: &packet{len: 60}, Side: flowev.SideClient})
		if idle = append(idle, c); len(idle) > 50 {
			idle[0].ended = true
			idle[0].slots.End()
			idle = append(idle[:0], idle[1:]...)
		}
	}
	for n := range uint64(50) {
		stay(900_000 + n)
	}
	alive := func() uint64 {
		t.Helper()
		bytes, refers := l.heap()
		if open := l.open.Load(); refers != open {
			t.Errorf("%d machines are referred to, %d are open", refers, open)
		}
		return bytes
	}
	var early uint64
	valid := 1
	for n := 1; n <= reloads; n++ {
		if out := apply(n); out.Published != (n%5 != 3) {
			t.Fatalf("reload %d: %+v", n, out)
		} else if out.Published {
			valid++
		}
		stay(uint64(1_000_000 + n))
		if n == 5 {
			early = alive()
		}
	}
	late := alive()
	goruntime.KeepAlive(idle)
	now := goruntime.NumGoroutine()
	for end := time.Now().Add(30 * time.Second); now > goroutines && time.Now().Before(end); now = goruntime.NumGoroutine() {
		time.Sleep(time.Millisecond) // one that is done may not have ended
	}
	if now > goroutines {
		t.Errorf("%d goroutines, %d before the reloads", now, goroutines)
	}
	close(stop)
	wait()
	if ran.Load() != began.Load() || began.Load() < int64(reloads) {
		t.Errorf("%d of %d connections had their rule", ran.Load(), began.Load())
	}
	if got := l.Generation(); got != uint64(valid) {
		t.Errorf("%d generations for %d valid contents", got, valid)
	}
	st := l.Stats()
	if want := int64(3*l.shards + st.Draining); l.open.Load() != want {
		t.Errorf("%d machines, want %d: %d drain", l.open.Load(), want, st.Draining)
	}
	t.Logf("heap %d KiB after 5 reloads, %d KiB after %d; %d connections; %d machines, %d drain", early>>10, late>>10, reloads, began.Load(), l.open.Load(), st.Draining)
	if late > early+early/20 {
		t.Errorf("the heap grew from %d to %d bytes", early, late)
	}
}
