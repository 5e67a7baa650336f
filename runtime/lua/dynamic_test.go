package lua

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
)

// chunk is the data of a new_data event.
type chunk struct {
	flowev.Data
	text string
}

func (d *chunk) Len() uint32          { return uint32(len(d.text)) }
func (d *chunk) Offset() uint64       { return 0 }
func (d *chunk) From() flowev.Side    { return flowev.SideClient }
func (d *chunk) Starts(s []byte) bool { return strings.HasPrefix(d.text, string(s)) }

// data raises flow.new_data about c.
func (h *house) data(c *conn, text string) (v event.Verdict) {
	h.in(func(s *event.Shard) {
		v = flowev.OnNewData.Emit(s, &flowev.NewData{C: c, D: &chunk{text: text}, Side: flowev.SideServer})
	})
	return v
}

// end raises flow.conn_end about c and ends it, as a stack does.
func (h *house) end(c *conn) {
	h.in(func(s *event.Shard) {
		flowev.OnConnEnd.Emit(s, &flowev.ConnEnd{C: c, Reason: flowev.EndReasonFin})
		c.ended = true
		c.slots.End()
	})
}

func (h *house) wanted() (w bool) {
	h.in(func(s *event.Shard) { w = flowev.OnNewData.Wanted(s) })
	return w
}

func (h *house) wants(want ...string) {
	h.t.Helper()
	got := h.take()
	if diff := cmp.Diff(strings.Join(want, "\n"), strings.TrimSpace(got)); diff != "" {
		h.t.Errorf("reported (-want +got):\n%s", diff)
	}
}

// TestBinding checks what scripts can bind, in all ways, and what the calls say.
func TestBinding(t *testing.T) {
	t.Parallel()
	h := up(t, `
event "hello" { on = flow.new_data, when = function(c, d) return d:starts "hello" end }
local named = handler "named" { on = { flow.new_data, event.hello }, match = { d = { len = is.gt(2) } }, run = function(c, d)
  print("named", this.rule, this.event, this.param, c.id, d.len)
end }
rule "web" { on = flow.conn_start, run = function(c)
  print(c:on(flow.new_data, "named", "x"))
  print(c:on(event.hello, function(c, d) print("hello", this.event, d.len) return flow.cut end))
  print(c:on(flow.new_data, named))
  print(c:on(flow.new_data, "other"))
  print(c:on(flow.new_data, "web"))
  print(c:on(flow.rexmit.rcv, "named"))
  print(c:off(flow.rexmit.rcv))
  print(c:on(flow.rexmit.rcv, nil))
  print(c:on(event.nowhere, named))
end }`)
	a, b := newConn(1), newConn(2)
	h.start(a)
	h.wants("true", "true", "true",
		`nil	no handler named "other"`,
		`nil	"web" is a rule: what is bound by name is declared with handler "web" { … }`,
		`nil	handler "named" is not for flow.rexmit.rcv (flow.new_data, event.hello)`,
		`nil	not bound: this script has no handler at flow.rexmit.rcv of connection 1`,
		`nil	not bound: this script has no handler at flow.rexmit.rcv of connection 1`,
		`nil	there is no event.nowhere`)
	if v := h.data(a, "hello there"); v.Kind != flowev.VerdictCut {
		t.Errorf("verdict %d, want cut", v.Kind)
	}
	h.data(a, "no")
	h.data(b, "hello")
	h.wants("named	named	flow.new_data	nil	1	11", "hello	event.hello	11", "t.lua:8: flow.cut at flow.new_data")
	h.end(a)
	if h.wanted() {
		t.Error("flow.new_data is wanted though nothing is bound any more")
	}
	if st := h.Stats(); st.Bindings != 0 {
		t.Errorf("%d bindings left", st.Bindings)
	}
}

// TestBindingMistakes checks that what cannot be meant is an error at its line.
func TestBindingMistakes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ give, want string }{
		{`c:on("x", print)`, "bad argument #1 to 'on' (hook point expected, got a string)"},
		{`c:on(flow.new_data, 7)`, "bad argument #2 to 'on' (function of the script or name of a handler expected, got a number)"},
		{`c:on(flow.new_data, print)`, "bad argument #2 to 'on' (function of the script or name of a handler expected, got a function)"},
		{`c:on(flow.new_data, r)`, `bad argument #2 to 'on' (function of the script or name of a handler expected, got the rule "a")`},
		{`c:on(hookd.start, function() end)`, "bad argument #1 to 'on' (hookd.start is not about a flow.conn)"},
		{`c:on(flow.new_data, function() end, print)`, "bad argument #3 to 'on' (plain data expected, got a function)"},
		{`c:off()`, "bad argument #1 to 'off' (hook point expected, got nil)"},
		{`c:after("soon", function() end)`, `bad argument #1 to 'after' (duration such as "10s" expected, got "soon")`},
		{`c:every(0, function() end)`, "bad argument #1 to 'every' (a time is more than 0)"},
		{`after("1s", 3)`, "bad argument #2 to 'after' (function of the script or name of a handler expected, got a number)"},
		{`local on = c.on on(c.client, flow.new_data)`, "'on' is a method of a flow.conn: call it with a colon, as in x:on()"},
		{`rule "x" {}`, "rule in a handler: declare it at the top level"},
		{`handler "x" {}`, "handler in a handler: declare it at the top level"},
		{`event "x" {}`, "event in a handler: declare it at the top level"},
		{`timer "x" {}`, "timer in a handler: declare it at the top level"},
		{`store "x" {}`, "store in a handler: declare it at the top level"},
		{`r.off()`, "'off' is a method: call it with a colon, as in r:off()"},
		{`return rule.of`, "rule has no of; did you mean off?"},
	} {
		h := newHouse(t, engine.Limits{})
		h.Use(unchecked(h))
		if diags := h.load("local r\nr = rule \"a\" { on = flow.conn_start, run = function(c)\n" + tt.give + "\nend }"); len(diags) > 0 {
			t.Fatal(rendered(diags))
		}
		h.Start(1000e9)
		h.start(newConn(1))
		h.wants("error t.lua:3: " + tt.want)
	}
}

// TestRuleOff checks rule.off, and switching rules off and on.
func TestRuleOff(t *testing.T) {
	t.Parallel()
	h := up(t, `
local often = rule "often" { on = flow.new_data, run = function(c, d) print("often", c.id) if d.len > 3 then return rule.off end end }
rule "bind" { on = flow.conn_start, run = function(c)
  local n = 0
  c:on(flow.new_data, function() n = n + 1 print("bound", c.id, n) if n == 2 then return rule.off end end)
end }
rule "switch" { on = flow.rexmit, run = function() print(often:off()) print(often:off()) end }
rule "back" { on = flow.gap, run = function() print(often:on()) print(often:on()) end }
rule "nothing" { on = flow.orphan, run = function() return rule.off end }`)
	a, b := newConn(1), newConn(2)
	h.start(a)
	h.data(a, "long text")
	h.data(a, "long text")
	h.data(a, "long text")
	h.data(b, "x")
	h.wants("often	1", "bound	1	1", "bound	1	2", "often	2")
	h.in(func(s *event.Shard) {
		flowev.OnRexmitRcv.Emit(s, &flowev.Rexmit{C: a})
		flowev.OnNewData.Emit(s, &flowev.NewData{C: b, D: &chunk{}})
		flowev.OnGap.Emit(s, &flowev.Gap{C: a})
		flowev.OnNewData.Emit(s, &flowev.NewData{C: b, D: &chunk{}})
		flowev.OnOrphan.Emit(s, &flowev.Orphan{})
	})
	h.wants("true", `nil	"often" is off already`, "true", `nil	"often" is on already`, "often	2",
		`error t.lua:9: rule "nothing" returned rule.off at flow.orphan, which is about nothing that it could be unbound from`)
}

// TestTimersOfConnections checks one-shot and repeating timers, their order in
// event time, their end and what they are called with.
func TestTimersOfConnections(t *testing.T) {
	t.Parallel()
	h := up(t, `
handler "silent" { run = function(c) print("silent", c.id, this.param.n, this.event, this.count) end }
handler "data" { on = flow.new_data, run = function() end }
handler "calm" { run = function() print("calm", this.ts) end }
rule "a" { on = flow.conn_start, run = function(c)
  print(c:after("3s", "silent", { n = c.id }))
  c:every("2s", function(c) print("tick", c.id, this.ts, this.count, this.rule) if this.count == 3 then return rule.off end end)
  after("1s", "calm") after("4s", "calm")
  print(c:after("1s", "data")) print(c:after("1s", "none"))
end }
rule "b" { on = flow.new_data, run = function(c) print(c:off "silent") print(c:off "silent") end }`)
	a, b := newConn(1), newConn(2)
	h.start(a)
	h.start(b)
	refused := []string{"true", `nil	handler "data" is not for timers (flow.new_data): one without on is`, `nil	no handler named "none"`}
	h.wants(append(append([]string{}, refused...), refused...)...)
	h.data(b, "x")
	h.wants("true", `nil	not bound: no timer of connection 2 runs a handler "silent"`)
	h.advance(5 * time.Second)
	h.wants("tick	1	1002	1	t.lua:7", "tick	2	1002	1	t.lua:7", `silent	1	1	nil	1`, "calm	1004", "tick	1	1004	2	t.lua:7", "tick	2	1004	2	t.lua:7")
	h.end(a)
	h.advance(5 * time.Second)
	h.wants("tick	2	1006	3	t.lua:7")
	if st := h.Stats(); st.Delays != 0 {
		t.Errorf("%d timers left", st.Delays)
	}
}

// TestNamedOutliveReload checks that named handlers and timers are those of the
// live generation, and that functions go on in the machine that made them, which
// goes with the last of them.
func TestNamedOutliveReload(t *testing.T) {
	t.Parallel()
	const src = `
local version = %d
handler "named" { on = flow.new_data, run = function(c) print("named", version, c.data.n) end }
handler "late" { run = function(c) print("late", version) end }
rule "a" { on = flow.conn_start, run = function(c)
  c.data.n = 7
  local seen = {}
  seen[c] = true
  c:on(flow.new_data, "named")
  c:on(flow.rexmit, function(c) print("function", version, seen[c], c.data.n) end)
  c:after("10s", "late")
  c:after("20s", function(c) print("later", version, seen[c]) end)
end }
rule "dropped" { on = hookd.handler_dropped, run = function() print("dropped", this.script, this.name, this.generation, this.bindings, this.reason) end }`
	h := up(t, fmt.Sprintf(src, 1))
	c := newConn(1)
	h.start(c)
	h.reload(fmt.Sprintf(src, 2))
	if st := h.Stats(); st.Draining != 1 {
		t.Errorf("%d machines drain, want 1", st.Draining)
	}
	h.data(c, "x")
	h.in(func(s *event.Shard) { flowev.OnRexmitRcv.Emit(s, &flowev.Rexmit{C: c}) })
	h.wants("named	2	7", "function	1	true	7")
	h.advance(30 * time.Second)
	h.wants("late	2", "later	1	true")
	h.end(c)
	if st := h.Stats(); st.Draining != 0 || st.Bindings != 0 || st.Delays != 0 {
		t.Errorf("left over: %+v", st.DynamicStats)
	}
	d := newConn(2)
	h.start(d)
	h.reload(`rule "dropped" { on = hookd.handler_dropped, run = function() print("dropped", this.script, this.name, this.generation, this.bindings, this.reason) end }`)
	h.data(d, "x")
	h.in(func(s *event.Shard) { flowev.OnRexmitRcv.Emit(s, &flowev.Rexmit{C: d}) })
	const gone = "the script does not declare the handler any more"
	h.wants("dropped	t.lua	late	3	1	"+gone, "dropped	t.lua	named	3	1	"+gone, "function	2	true	7")
	h.end(d)
	if st := h.Stats(); st.Draining != 0 {
		t.Errorf("%d machines drain", st.Draining)
	}
}

// TestDrainingIsBounded checks that the oldest machine is cut when too many
// drain, and that none is left when the connections are gone.
func TestDrainingIsBounded(t *testing.T) {
	t.Parallel()
	const src = `
local version = %d
rule "a" { on = flow.conn_start, run = function(c) c:on(flow.new_data, function() print("from", version) end) end }
rule "dropped" { on = hookd.handler_dropped, run = function() print("dropped", this.name, this.generation, this.bindings, this.reason) end }`
	h := up(t, fmt.Sprintf(src, 1))
	var conns []*conn
	for i := range 6 {
		c := newConn(uint64(i + 1))
		conns = append(conns, c)
		h.start(c)
		h.reload(fmt.Sprintf(src, i+2))
	}
	const why = "3 later generations of the script drain too"
	h.wants("dropped	*	1	1	"+why, "dropped	*	2	1	"+why, "dropped	*	3	1	"+why)
	for _, c := range conns {
		h.data(c, "x")
	}
	h.wants("from	4", "from	5", "from	6")
	if st := h.Stats(); st.Draining != 3 || st.HandlersDropped != 3 {
		t.Errorf("%+v", st.DynamicStats)
	}
	for _, c := range conns {
		h.end(c)
	}
	if st := h.Stats(); st.Draining != 0 || st.Bindings != 0 {
		t.Errorf("left over: %+v", st.DynamicStats)
	}
}

// TestBindingLimits checks what a script and a connection may have.
func TestBindingLimits(t *testing.T) {
	t.Parallel()
	h := newHouse(t, engine.Limits{Bindings: 3, ObjectBindings: 2, Timers: 1})
	if diags := h.load(`rule "a" { on = flow.conn_start, run = function(c)
  local f = function() end
  print(c:on(flow.new_data, f)) print(c:on(flow.new_data, f)) print(c:after("1s", f)) print(c:after("1s", f)) print(c:on(flow.gap, f))
  if c.id == 4 then print(c:off(flow.gap)) print(c:stop "client") print(c:tag "x") end
end }`); len(diags) > 0 {
		t.Fatal(rendered(diags))
	}
	h.Start(1000e9)
	h.start(newConn(1))
	h.wants("true", "true", "true", "nil	the script has 1 timers started already", "nil	connection 1 has 2 handlers and timers already")
	h.start(newConn(2))
	h.wants("true", "true", "nil	the script has 1 timers started already", "nil	the script has 1 timers started already", "true")
	h.start(newConn(3))
	h.take()
	if st := h.Stats(); st.Bindings != 3 || st.Unbindable == 0 {
		t.Errorf("%+v", st.DynamicStats)
	}
	c := newConn(4)
	c.ended = true
	h.start(c)
	h.wants(strings.Split(strings.Repeat("nil	connection 4 has ended\n", 8), "\n")[:8]...)
}

// TestBoundHandlersFail checks budget, errors, on_error, suspension, statistics
// and a machine that has to be made anew.
func TestBoundHandlersFail(t *testing.T) {
	t.Parallel()
	h := newHouse(t, engine.Limits{Errors: 2})
	if diags := h.load(`
handler "named" { on = flow.new_data, on_error = flow.drop, run = function() error "no" end }
rule "a" { on = flow.conn_start, run = function(c)
  c:on(flow.new_data, "named")
  c:on(flow.rexmit, function() while true do end end)
end }`); len(diags) > 0 {
		t.Fatal(rendered(diags))
	}
	h.Start(1000e9)
	c := newConn(1)
	h.start(c)
	for range 3 {
		if v := h.data(c, "x"); v.Kind != flowev.VerdictDrop {
			t.Errorf("verdict %d, want on_error's", v.Kind)
		}
	}
	h.wants("error t.lua:2: no", "named: flow.drop at flow.new_data", "error t.lua:2: no (suspended)", "named: flow.drop at flow.new_data", "named: flow.drop at flow.new_data")
	h.in(func(s *event.Shard) { flowev.OnRexmitRcv.Emit(s, &flowev.Rexmit{C: c}) })
	if got := h.take(); !strings.Contains(got, "(overrun)") || !strings.HasPrefix(got, "error t.lua:5: ") {
		t.Errorf("reported %q", got)
	}
	var names []string
	for _, r := range h.Rules() {
		names = append(names, fmt.Sprintf("%s %d %d %t", r.Name, r.Errors, r.Overruns, r.Handler))
	}
	if diff := cmp.Diff([]string{"named 2 0 true", "a 0 0 false", "t.lua:5 1 1 true"}, names); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}

// TestHandlersAreChecked checks that the functions that are bound are read like
// those of rules.
func TestHandlersAreChecked(t *testing.T) {
	t.Parallel()
	h := newHouse(t, engine.Limits{})
	diags := h.load(`
rule "a" { on = flow.conn_start, run = function(c)
  c:on(flow.new_data, function(c, d) d:peeek(3) return flow.nothing end)
  c:after("1s", function(it) it:tagg "x" return flow.cut end)
  c:on(flow.gap, function() return flow.reset end)
end }
handler "x" { on = flow.new_data, run = function(c, d) d:peeek(1) end }
handler "y" { match = { d = 1 }, run = function() end }
handler "z" { on = flow.conn_start, verdict = flow.drop }
handler "z" { run = function() end }
handler "w" { on = flow.nowhere, always = true }`)
	var got []string
	for _, d := range diags {
		got = append(got, fmt.Sprintf("%d: %s", d.Line, d.Msg))
	}
	want := []string{
		"3: flow.data has no field or method peeek", "3: flow has no hook point, verdict or function nothing",
		"4: flow.conn has no field or method tagg", "4: flow.cut cannot be decided at timer",
		"7: flow.data has no field or method peeek", "11: flow has no hook point, verdict or function nowhere",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got = messages(h.load(`
handler "y" { match = { d = 1 }, run = function() end }
handler "z" { on = flow.conn_start, verdict = flow.drop }
handler "w" { on = flow.gap, always = true, run = function() end }`))
	want = []string{
		`2: handler "y": match needs hook points: a handler without on is for timers`,
		`4: handler "w": unknown key always`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got = messages(h.load(`
handler "z" { on = flow.conn_start, verdict = flow.drop }
handler "x" { run = function() end }
rule "x" { on = flow.gap, run = function() end }`))
	want = []string{`2: flow.drop cannot be decided here: flow.conn_start.snd takes flow.cut, flow.reset`, `4: rule "x" is declared already, at line 3`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func messages(diags diag.List) (list []string) {
	for _, d := range diags {
		list = append(list, fmt.Sprintf("%d: %s", d.Line, d.Msg))
	}
	return list
}
