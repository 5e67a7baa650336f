package lua

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/runtime/lua/vm"
)

func lines(s string) []string { return strings.Split(strings.TrimSpace(s), "\n") }

// reload publishes another text of t.lua, which has to load.
func (h *house) reload(src string) {
	h.t.Helper()
	if diags := h.load(src); diags.HasErrors() {
		h.t.Fatal(rendered(diags))
	}
}

func TestStateAndDataOutliveTheMachine(t *testing.T) {
	t.Parallel()
	const src = `
		state { n = 0 }
		local fresh = true
		rule "a" { on = flow.conn_start, run = function(c)
			local conn = { c } -- so that there is an object of it
			state.n = state.n + 1
			conn[1].data.n = (c.data.n or 0) + 1
			print(version, state.n, c.data.n, fresh)
			fresh = false
		end }`
	h := up(t, "version = 1"+src)
	c := newConn(17)
	h.start(c)
	h.start(c)
	h.reload("version = 2" + src)
	h.start(c)
	want := []string{"1\t1\t1\ttrue", "1\t2\t2\tfalse", "2\t3\t3\ttrue"}
	if diff := cmp.Diff(want, lines(h.take())); diff != "" {
		t.Errorf("reported (-want +got):\n%s", diff)
	}
	if n := len(slotsOf(&c.slots)); n != 2 {
		t.Errorf("%d slots are in use on the connection after a reload, want 2: the engine's and the script's", n)
	}
}

// slotsOf counts what hangs on an object by taking it away.
func slotsOf(s *event.Slots) (found []any) {
	for _, key := range []any{slotKey("t.lua")} {
		if v := s.Get(key); v != nil {
			found = append(found, v)
			s.Set(key, nil)
		}
	}
	if s.Used() {
		found = append(found, "the engine's")
	}
	return found
}

func TestStagedStateTakesEffectWithThePublish(t *testing.T) {
	t.Parallel()
	h := up(t, `state { n = 1 } rule "a" { on = flow.conn_start, run = function() print(state.n, state.extra) end }`)
	h.start(newConn(1))
	diags := h.load(`state.n = 100 state.extra = "x" nonsense()`)
	if !diags.HasErrors() {
		t.Fatal("a script that calls an unknown function loads")
	}
	h.start(newConn(1))
	h.reload(`state.n = state.n + 1 state { extra = "new", n = 50 } rule "a" { on = flow.conn_start, run = function() print(state.n, state.extra) end }`)
	h.start(newConn(1))
	if diff := cmp.Diff([]string{"1\tnil", "1\tnil", "2\tnew"}, lines(h.take())); diff != "" {
		t.Errorf("reported (-want +got):\n%s", diff)
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	h := up(t, `script { state_version = 1 } state { seen = 3 } rule "a" { on = flow.conn_start, run = function() print(state.seen) end }`)
	h.start(newConn(1))
	const second = `script { state_version = 2, migrate = function(old, from)
			state.total = old.seen * 10 + from
			state.seen = nil
			state.writable = pcall(function() old.seen = 5 end)
			state.calls = (state.calls or 0) + 1
		end }
		rule "a" { on = flow.conn_start, run = function() print(state.seen, state.total, state.writable, state.calls) end }`
	h.reload(second)
	h.start(newConn(1))
	h.reload(second + " -- touched")
	h.start(newConn(1))
	if diff := cmp.Diff([]string{"3", "nil\t31\tfalse\t1", "nil\t31\tfalse\t1"}, lines(h.take())); diff != "" {
		t.Errorf("reported (-want +got):\n%s", diff)
	}
	diags := h.load(`script { state_version = 3, migrate = function(old, from)
		error "cannot"
	end }`)
	if got := rendered(diags); !strings.Contains(got, "t.lua:2: error: cannot") {
		t.Errorf("a migration that fails says %q", got)
	}
}

// poisonable is a house whose machines a recursion ruins before it uses up its
// budget.
func poisonable(t *testing.T) *house {
	h := newHouse(t, engine.Limits{HandlerInstructions: 2_000_000})
	h.Use(New(Config{Catalogue: h.Catalogue(), Functions: h.Functions(), Limits: h.Limits(), VM: vm.Limits{Stack: 2048}}))
	return h
}

func TestPoisonedMachineIsRebuilt(t *testing.T) {
	t.Parallel()
	h := poisonable(t)
	_, diags := h.Apply([]engine.Source{
		{Path: "bad.lua", Text: []byte(`
			local n, s = 0, store "s" { kind = "set", key = "string" }
			local function f(...) return f(1, ...) end
			rule "first" { on = flow.conn_start, run = function(c) n = n + 1 print("bad", n, c.data.n, s:has "x") end }
			rule "poison" { on = flow.conn_start, run = function(c)
				c.data.n = (c.data.n or 0) + 1
				s:add "x"
				if c.id == 1 then f() end
			end }
			rule "last" { on = flow.conn_start, when = function() return true end, run = function(c) print("last", n) end }`)},
		{Path: "good.lua", Text: []byte(`local n = 0 rule "good" { on = flow.conn_start, run = function() n = n + 1 print("good", n) end }`)},
	})
	if diags.HasErrors() {
		t.Fatal(rendered(diags))
	}
	h.Start(1000e9)
	one, two := newConn(1), newConn(2)
	h.start(one)
	h.start(one)
	h.start(two)
	want := []string{
		"bad\t1\tnil\tfalse",
		"error bad.lua:3: stack overflow: a call holds at most 2048 values (poisoned)",
		"last\t0", "good\t1",
		"bad\t1\t1\ttrue",
		"error bad.lua:3: stack overflow: a call holds at most 2048 values (poisoned)",
		"last\t0", "good\t2",
		"bad\t1\tnil\ttrue", "last\t1", "good\t3",
	}
	if diff := cmp.Diff(want, lines(h.take())); diff != "" {
		t.Errorf("reported (-want +got):\n%s", diff)
	}
}

// TestConstantsAfterARebuild checks that what was compiled with the constants of
// the first run of a top level gives way to the functions of the second.
func TestConstantsAfterARebuild(t *testing.T) {
	t.Parallel()
	h := poisonable(t)
	h.started(`
		state { loads = 0 }
		state.loads = state.loads + 1
		local wanted = state.loads
		local function f(...) return f(1, ...) end
		rule "when" { on = flow.conn_start, when = function(c) return c.id == wanted end, run = function(c) print("when", c.id) end }
		rule "guard" { on = flow.conn_start, run = function(c) if c.id ~= wanted then return end print("guard", c.id) end }
		rule "poison" { on = flow.conn_start, priority = -1, match = { id = 3 }, run = function() f() end }`)
	for _, id := range []uint64{1, 2, 3, 1, 2} {
		h.start(newConn(id))
	}
	want := []string{
		"when\t1", "guard\t1",
		"error t.lua:5: stack overflow: a call holds at most 2048 values (poisoned)",
		"when\t2", "guard\t2",
	}
	if diff := cmp.Diff(want, lines(h.take())); diff != "" {
		t.Errorf("reported (-want +got):\n%s", diff)
	}
}

func TestRuleThatGoesMissingInARebuild(t *testing.T) {
	t.Parallel()
	h := poisonable(t)
	h.started(`
		state { loads = 0 }
		state.loads = state.loads + 1
		local function f(...) return f(1, ...) end
		if state.loads == 1 then
			rule "once" { on = flow.conn_start, run = function() print "once" end }
		end
		rule "poison" { on = hookd.start, run = function() f() end }
	`)
	h.take()
	h.start(newConn(1))
	got := h.take()
	if !strings.Contains(got, "is not there any more") {
		t.Errorf("reported %q", got)
	}
}

func TestSuspension(t *testing.T) {
	t.Parallel()
	h := up(t, `
		rule "loop" { on = flow.conn_start, on_error = flow.cut, run = function() while true do end end }
		rule "watch" { on = hookd.rule_suspended, run = function() print("suspended", this.name, this.message) end }
		rule "errors" { on = hookd.script_error, run = function() print(this.name, this.line, this.overrun) end }`)
	for range 4 {
		h.start(newConn(1))
	}
	const failed, decided = "error t.lua:2: handler went over its budget of 200000 instructions (overrun)", "loop: flow.cut at flow.conn_start.snd"
	want := []string{
		failed, decided, "loop\t2\ttrue",
		failed, decided, "loop\t2\ttrue",
		failed + " (suspended)", decided, "loop\t2\ttrue", "suspended\tloop\tt.lua:2: handler went over its budget of 200000 instructions",
		decided,
	}
	if diff := cmp.Diff(want, lines(h.take())); diff != "" {
		t.Errorf("reported (-want +got):\n%s", diff)
	}
}

func TestTraceback(t *testing.T) {
	t.Parallel()
	h := newHouse(t, engine.Limits{})
	in, plan := staged(t, h, `
local function inner() error "deep" end
function outer() inner() return 1 end
rule "a" { on = hookd.start, run = function()
  local x = outer()
end }`)
	_, err := in.Run(plan.Rules[0].Run, callOf(h))
	se, ok := err.(*engine.ScriptError)
	if !ok {
		t.Fatalf("error %v of type %T", err, err)
	}
	want := &engine.ScriptError{
		Script: "t.lua", Line: 2, Message: "deep",
		Traceback: "t.lua:2: in function 'inner'\nt.lua:3: in function 'outer'\nt.lua:5: in function <t.lua:4>",
	}
	if diff := cmp.Diff(want, se); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

// staged runs a script's top level outside of an engine's generation.
func staged(t *testing.T, h *house, src string) (engine.Instance, *engine.Plan) {
	t.Helper()
	rt := New(Config{Catalogue: h.Catalogue(), Functions: h.Functions(), Limits: h.Limits()})
	p, diags := rt.Compile(engine.Source{Path: "t.lua", Text: []byte(src)})
	if p == nil {
		t.Fatal(rendered(diags))
	}
	in, plan, diags := p.Stage(&engine.Env{Shard: h.Shard(0), Path: "t.lua", Gen: 1})
	if diags.HasErrors() {
		t.Fatal(rendered(diags))
	}
	t.Cleanup(in.Close)
	return in, plan
}

// callOf is a call as timers have it.
func callOf(h *house) *engine.Call {
	return &engine.Call{Caller: event.Caller{Shard: h.Shard(0), Script: "t.lua", Rule: "a", Gen: 1}}
}

func TestPlan(t *testing.T) {
	t.Parallel()
	h := newHouse(t, engine.Limits{})
	_, plan := staged(t, h, `script { doc = "What it does", tags = { "x", "y" }, state_version = 4, shards = "each" } math.randomseed(2)
rule "full" {
  on = { flow.rexmit, flow.rexmit.snd, event.web.rcv },
  scope = "dst port 80",
  priority = -3,
  threshold = { by = "client.ip", count = 20, within = "1m30s", fire = "once" },
  verdict = flow.drop, on_error = flow.cut,
  mode = "observe", always = true, enabled = false,
  doc = "d", severity = "high", tags = "one",
}
event "web" { on = flow.rexmit.rcv, doc = "e" }
timer "t" { every = 0.5, after = "2h", run = function() end }`)
	family := h.Catalogue().Family("flow")
	verdict := func(name string, line int) *engine.VerdictDecl {
		for _, v := range family.Verdicts {
			if v.Name == name {
				return &engine.VerdictDecl{Decision: engine.Decision{Family: family, Verdict: event.Verdict{Kind: v.Kind}}, Line: line}
			}
		}
		return nil
	}
	want := &engine.Plan{
		Script: engine.ScriptDecl{Line: 1, Doc: "What it does", Tags: []string{"x", "y"}, StateVersion: 4, EachShard: true},
		Seed:   math.Float64bits(2),
		Rules: []*engine.RuleDecl{{
			Name: "full", Line: 2,
			On:    []engine.PointRef{{Name: "flow.rexmit", Line: 3}, {Name: "flow.rexmit.snd", Line: 3}, {Name: "event.web.rcv", Line: 3}},
			Scope: "dst port 80", ScopeLine: 4, Priority: -3,
			Threshold: &engine.ThresholdDecl{Line: 6, By: []string{"client", "ip"}, Count: 20, Within: 90e9, Fire: "once"},
			Verdict:   verdict("drop", 7), OnError: verdict("cut", 7),
			Observe: true, Always: true, Disabled: true, Doc: "d", Severity: "high", Tags: []string{"one"},
		}},
		Events: []*engine.EventDecl{{Name: "web", Line: 11, On: &engine.PointRef{Name: "flow.rexmit.rcv", Line: 11}, Doc: "e"}},
		Timers: []*engine.TimerDecl{{Name: "t", Line: 12, Every: 500e6, After: 7200e9, Run: 1}},
	}
	same := cmp.Comparer(func(a, b *event.Family) bool { return a == b })
	if diff := cmp.Diff(want, plan, same, cmpopts.IgnoreUnexported(engine.RuleDecl{})); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

func TestCompileErrors(t *testing.T) {
	t.Parallel()
	h := newHouse(t, engine.Limits{})
	for _, tt := range []struct{ src, want string }{
		{"rule 'a' {", "t.lua:1:11: error: '}' expected near the end of the file"},
		{"x = x +", "t.lua:1:8: error: unexpected end of the file"},
		{strings.Repeat("x = 1\n", 60_000), "source of 360000 bytes is too large"},
		{"x = " + strings.Repeat("{", 300) + strings.Repeat("}", 300), "nest"},
		{"local x = flow.rexmitt", "flow has no hook point, verdict or function rexmitt"},
	} {
		if got := rendered(h.load(tt.src)); !strings.Contains(got, tt.want) {
			t.Errorf("%.40q says %q, want %q", tt.src, got, tt.want)
		}
	}
}

func TestWarningsComeWithTheProgram(t *testing.T) {
	t.Parallel()
	h := newHouse(t, engine.Limits{})
	diags := h.load(`local s = "\x41"`)
	if diags.HasErrors() || len(diags) != 1 || diags[0].Severity != diag.Warning {
		t.Errorf("diagnostics %v, want one warning", diags)
	}
	if got := h.Generation(); got != 1 {
		t.Errorf("generation %d is live, want 1", got)
	}
}

func TestGlobalsAreWhatAScriptSees(t *testing.T) {
	t.Parallel()
	h := newHouse(t, engine.Limits{})
	rt := New(Config{Catalogue: h.Catalogue(), Functions: h.Functions(), Limits: h.Limits()})
	want := []string{
		"_G", "_VERSION", "after", "alert", "assert", "base64", "bit", "coroutine", "data", "dispatcher", "error", "event", "flow", "getmetatable", "handler",
		"hash", "hookd", "ip", "ipairs", "is", "json", "log", "loop", "math", "next", "os", "pairs", "pcall", "print", "raise", "rawequal", "rawget", "rawset", "require", "rule",
		"script", "select", "setmetatable", "settings", "sip", "sleep", "sock", "spawn", "state", "store", "string", "struct", "table", "this", "timer", "tonumber", "tostring",
		"type", "unpack", "url", "utf8", "xpcall",
	}
	if diff := cmp.Diff(want, rt.Globals()); diff != "" {
		t.Errorf("globals (-want +got):\n%s", diff)
	}
}
