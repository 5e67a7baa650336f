package lua

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine"
)

// TestWhatOutlivesReloads checks what a reload promises of what is under way: a
// handler bound by name means the live one, over a hundred reloads; a timer
// started by a handler fires after them; a declared timer keeps its phase; a
// thousand coroutines wake up in the machine that they began in.
func TestWhatOutlivesReloads(t *testing.T) {
	t.Parallel()
	const src = `
		local version, woken = %d, 0
		handler "named" { on = flow.new_data, run = function(c, d) alert("named", { v = version, by = this.param }) end }
		handler "failover" { run = function(c) alert("failover", { v = version, c = c.id }) end }
		handler "calm" { run = function() alert("calm", { v = version }) end }
		rule "begin" { on = flow.conn_start, run = function(c)
			if c.id == 9 then
				for i = 1, 1000 do spawn(function() sleep "30s" woken = woken + 1 if woken == 1000 then alert("woken", { v = version }) end end) end
				return
			end
			c:on(flow.new_data, "named", version)
			c:after("15s", "failover")
			after("25s", "calm")
		end }
		timer "minute" { every = "60s", run = function() alert("minute", { v = version, at = os.time() }) end }`
	at := func(n int) string { return fmt.Sprintf(src, n) }
	h := newHouse(t, engine.Limits{})
	h.started(at(1))
	c := newConn(1)
	h.start(c)
	h.start(newConn(9))
	for n := 2; n <= 101; n++ {
		h.reload(at(n))
	}
	h.data(c, "hello")
	h.wants(`alert named {"v":101,"by":1}`)
	gen := 101
	for range 13 {
		h.advance(10 * time.Second)
		gen++
		h.reload(at(gen))
	}
	want := []string{
		`alert failover {"v":102,"c":1}`, // at 15 s, under the generation of 10 s
		`alert calm {"v":103}`,
		`alert woken {"v":1}`,
		`alert minute {"v":106,"at":1060}`,
		`alert minute {"v":112,"at":1120}`,
	}
	if diff := cmp.Diff(want, lines(h.take())); diff != "" {
		t.Error(diff)
	}
	if st := h.Stats(); st.Waiting != 0 || st.Draining != 0 || st.HandlersDropped != 0 {
		t.Errorf("%+v", st)
	}
}

// TestHandover checks what a publication tells: of a script with a state, data,
// a bound name, a bound function and a coroutine, and of one that stays.
func TestHandover(t *testing.T) {
	t.Parallel()
	h := newHouse(t, engine.Limits{})
	load := func(text string) engine.Handover {
		gen, diags := h.Apply([]engine.Source{
			{Path: "a.lua", Text: []byte(text)},
			{Path: "b.lua", Text: []byte(`local s = store "s" { kind = "set", key = "ip" }
				rule "told" { on = hookd.reloaded, run = function()
					alert("reloaded", { n = this.generation, changed = this.changed[1], states = this.states, records = this.records, stores = this.stores,
						unchanged = this.unchanged, handlers = this.handlers, timers = this.timers, functions = this.functions,
						waiting = this.waiting, draining = this.draining, dropped = this.dropped })
				end }
				rule "refused" { on = hookd.reload_failed, run = function() alert("refused", { n = this.generation, changed = this.changed[1], hash = #this.hash }) end }`)},
		})
		if diags.HasErrors() {
			return engine.Handover{}
		}
		to := gen.Handover
		to.Duration = 0
		return to
	}
	const src = `state { n = 1 }
		handler "named" { on = flow.new_data, run = function() end }
		rule "r" { on = flow.conn_start, run = function(c)
			c.data.x = 1
			if c.id == 1 then c:on(flow.new_data, "named") else c:on(flow.new_data, function() end) end
			spawn(function() sleep "10s" end)
		end }
		timer "t" { every = "60s", run = function() end }`
	load(src)
	h.Start(1000e9)
	one, two := newConn(1), newConn(2)
	h.start(one)
	h.start(two)
	want := engine.Handover{Scripts: 1, States: 1, Records: 2, Stores: 1, Handlers: 1, Timers: 1, Functions: 1, Waiting: 2, Draining: 1}
	if diff := cmp.Diff(want, load(src+" -- 2")); diff != "" {
		t.Error(diff)
	}
	load("nonsense(")
	want = engine.Handover{Scripts: 1, States: 1, Records: 2, Stores: 1, Timers: 1, Dropped: 1}
	if diff := cmp.Diff(want, load(strings.ReplaceAll(src, `"named"`, `"other"`))); diff != "" {
		t.Error(diff)
	}
	h.wants(
		`alert reloaded {"n":2,"changed":"a.lua","states":1,"records":2,"stores":1,"unchanged":1,"handlers":1,"timers":1,"functions":1,"waiting":2,"draining":1,"dropped":0}`,
		`alert refused {"n":2,"changed":"a.lua","hash":16}`,
		`alert reloaded {"n":3,"changed":"a.lua","states":1,"records":2,"stores":1,"unchanged":1,"handlers":0,"timers":1,"functions":0,"waiting":0,"draining":0,"dropped":1}`,
	)
	h.end(one)
	h.end(two)
	h.advance(time.Minute)
	if st := h.Stats(); st.Data != 0 || st.Named != 0 || st.Draining != 0 {
		t.Errorf("%+v", st)
	}
}
