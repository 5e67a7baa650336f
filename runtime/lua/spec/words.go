package spec

import (
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/plain"
)

// openWords puts the words of specs into the VM.
func (r *Runner) openWords() {
	L := r.vm.State()
	for name, fn := range map[string]glua.LGFunction{
		"describe":   r.describe,
		"it":         r.it,
		"scripts":    r.scripts,
		"replay":     r.inTest("replay", r.replay),
		"connection": r.inTest("connection", r.connection),
		"advance":    r.inTest("advance", r.advance),
		"emit":       r.inTest("emit", r.emit),
		"watch":      r.inTest("watch", r.watch),
		"events":     r.inTest("events", r.events),
		"points":     r.inTest("points", r.points),
		"alerts":     r.inTest("alerts", r.alerts),
		"decisions":  r.inTest("decisions", r.decisions),
		"logs":       r.inTest("logs", r.logs),
		"errors":     r.inTest("errors", r.errors),
		"rule":       r.inTest("rule", r.rule),
	} {
		L.SetGlobal(name, L.NewFunction(fn))
	}
	L.SetGlobal("assert", r.asserts(L))
	r.openConn(L)
	r.openObjects(L)
}

// inTest refuses a word outside `it`.
func (r *Runner) inTest(name string, fn glua.LGFunction) glua.LGFunction {
	return func(L *glua.LState) int {
		if r.world == nil {
			L.RaiseError("%s belongs inside it(…)", name)
		}
		defer func(before *glua.LState) { r.calling = before }(r.calling)
		r.calling = L
		return fn(L)
	}
}

// declaring refuses a word inside `it`.
func (r *Runner) declaring(L *glua.LState, name string) {
	if !r.open {
		L.RaiseError("%s does not belong inside it(…)", name)
	}
}

func (r *Runner) describe(L *glua.LState) int {
	r.declaring(L, "describe")
	name, body := L.CheckString(1), L.CheckFunction(2)
	inner := r.scope[len(r.scope)-1]
	inner.name = strings.TrimSpace(inner.name + " " + name)
	r.scope = append(r.scope, inner)
	L.Push(body)
	L.Call(0, 0)
	r.scope = r.scope[:len(r.scope)-1]
	return 0
}

func (r *Runner) it(L *glua.LState) int {
	r.declaring(L, "it")
	s := r.scope[len(r.scope)-1]
	r.cases = append(r.cases, testCase{
		name:    strings.TrimSpace(s.name + " " + L.CheckString(1)),
		line:    callerLine(L),
		fn:      L.CheckFunction(2),
		scripts: s.scripts,
	})
	return 0
}

// scripts names the scripts that the `it`s below run, relative to the spec.
func (r *Runner) scripts(L *glua.LState) int {
	r.declaring(L, "scripts")
	list := []string{}
	for i := 1; i <= L.GetTop(); i++ {
		list = append(list, L.CheckString(i))
	}
	r.scope[len(r.scope)-1].scripts = list
	return 0
}

func callerLine(L *glua.LState) int {
	dbg, ok := L.GetStack(1)
	if !ok {
		return 0
	}
	if _, err := L.GetInfo("l", dbg, glua.LNil); err != nil {
		return 0
	}
	return dbg.CurrentLine
}

func (r *Runner) replay(L *glua.LState) int {
	path := L.CheckString(1)
	if err := r.world.replay(filepath.Join(filepath.Dir(r.path), filepath.FromSlash(path))); err != nil {
		L.RaiseError("replay: %s", err)
	}
	return 0
}

func (r *Runner) advance(L *glua.LState) int {
	var d time.Duration
	var err error
	switch v := L.Get(1).(type) {
	case glua.LNumber:
		d, err = plain.Seconds(float64(v))
	case glua.LString:
		d, err = plain.Duration(string(v))
	default:
		L.ArgError(1, "a duration such as \"10s\" expected")
	}
	if err == nil {
		err = r.world.advance(d)
	}
	if err != nil {
		L.RaiseError("advance: %s", err)
	}
	return 0
}

// emit raises an event made by hand and returns the verdict it got, if any.
func (r *Runner) emit(L *glua.LState) int {
	name := L.CheckString(1)
	var fields []event.KV
	if t := L.OptTable(2, nil); t != nil {
		for k, v := t.Next(glua.LNil); k != glua.LNil; k, v = t.Next(k) {
			fields = append(fields, event.KV{Key: k.String(), Value: goValue(v)})
		}
	}
	return r.decided(L, func() error { return r.world.emit(name, fields) })
}

// decided runs fn and returns the strictest verdict that was decided meanwhile.
func (r *Runner) decided(L *glua.LState, fn func() error) int {
	before := len(r.world.decisions)
	if err := fn(); err != nil {
		L.RaiseError("%s", err)
	}
	best, rank := "", -1
	for _, d := range r.world.decisions[before:] {
		if n := r.world.rank(d.Verdict); !d.Observe && n > rank {
			best, rank = d.Verdict, n
		}
	}
	if best == "" {
		L.Push(glua.LNil)
	} else {
		L.Push(glua.LString(best))
	}
	return 1
}

// rank orders verdicts by their family's declaration.
func (w *world) rank(verdict string) int {
	family, name, _ := strings.Cut(verdict, ".")
	f := w.engine.Catalogue().Family(family)
	if f == nil {
		return 0
	}
	for _, v := range f.Verdicts {
		if v.Name == name {
			return v.Rank
		}
	}
	return 0
}

func (r *Runner) watch(L *glua.LState) int {
	if err := r.world.watch(L.CheckString(1)); err != nil {
		L.RaiseError("watch: %s", err)
	}
	return 0
}

func (r *Runner) events(L *glua.LState) int {
	list, err := r.world.seen(L.CheckString(1))
	if err != nil {
		L.RaiseError("events: %s", err)
	}
	t := L.CreateTable(len(list), 0)
	for _, row := range list {
		t.Append(luaValue(L, row))
	}
	L.Push(t)
	return 1
}

// points lists the names of the watched hook points that were passed, in order: all, or
// those that a pattern names.
func (r *Runner) points(L *glua.LState) int {
	list, err := r.world.passed(L.OptString(1, "*"))
	if err != nil {
		L.RaiseError("points: %s", err)
	}
	t := L.CreateTable(len(list), 0)
	for _, name := range list {
		t.Append(glua.LString(name))
	}
	L.Push(t)
	return 1
}

// alerts lists what scripts alerted, those of one name where it is given.
func (r *Runner) alerts(L *glua.LState) int {
	name := L.OptString(1, "")
	out := L.NewTable()
	for _, a := range r.world.alerts {
		if name != "" && a.Name != name {
			continue
		}
		t := originTable(L, &a.Origin)
		t.RawSetString("name", glua.LString(a.Name))
		t.RawSetString("severity", glua.LString(a.Severity))
		t.RawSetString("fields", luaValue(L, a.Fields))
		out.Append(t)
	}
	L.Push(out)
	return 1
}

// decisions lists what was decided, by one rule where its name is given.
func (r *Runner) decisions(L *glua.LState) int {
	name := L.OptString(1, "")
	out := L.NewTable()
	for _, d := range r.world.decisions {
		if name != "" && d.Rule != name {
			continue
		}
		t := originTable(L, &d.Origin)
		t.RawSetString("point", glua.LString(d.Point))
		t.RawSetString("verdict", glua.LString(d.Verdict))
		t.RawSetString("detail", glua.LString(d.Detail()))
		t.RawSetString("observe", glua.LBool(d.Observe))
		out.Append(t)
	}
	L.Push(out)
	return 1
}

func (r *Runner) logs(L *glua.LState) int {
	out := L.NewTable()
	for _, l := range r.world.logs {
		t := originTable(L, &l.Origin)
		t.RawSetString("level", glua.LString(strings.ToLower(l.Level.String())))
		t.RawSetString("message", glua.LString(l.Message))
		t.RawSetString("fields", luaValue(L, l.Fields))
		out.Append(t)
	}
	L.Push(out)
	return 1
}

// errors lists the scripts' failures; a test that looks at them does not fail
// for them.
func (r *Runner) errors(L *glua.LState) int {
	r.checked = true
	out := L.NewTable()
	for _, e := range r.world.errors {
		t := originTable(L, &e.Origin)
		t.RawSetString("message", glua.LString(e.Err.Error()))
		t.RawSetString("overrun", glua.LBool(e.Err.Overrun))
		t.RawSetString("suspended", glua.LBool(e.Suspended))
		out.Append(t)
	}
	L.Push(out)
	return 1
}

// rule returns the counters of a rule by name.
func (r *Runner) rule(L *glua.LState) int {
	name := L.CheckString(1)
	for _, st := range r.world.engine.Rules() {
		if st.Name != name {
			continue
		}
		t := L.NewTable()
		for key, n := range map[string]uint64{
			"seen": st.Seen, "matched": st.Matched, "decided": st.Decided, "errors": st.Errors, "overruns": st.Overruns,
		} {
			t.RawSetString(key, glua.LNumber(n))
		}
		t.RawSetString("suspended", glua.LBool(st.Suspended))
		L.Push(t)
		return 1
	}
	L.RaiseError("there is no rule %q", name)
	return 0
}

func originTable(L *glua.LState, o *engine.Origin) *glua.LTable {
	t := L.NewTable()
	t.RawSetString("ts", glua.LNumber(float64(o.TS)/1e9))
	t.RawSetString("script", glua.LString(o.Script))
	t.RawSetString("rule", glua.LString(o.Rule))
	if o.Conn != 0 {
		t.RawSetString("conn", glua.LNumber(o.Conn))
	}
	return t
}

// parseEndpoint reads "10.0.0.1:80" or "[::1]:80" from a field of a table.
func parseEndpoint(L *glua.LState, t *glua.LTable, key string) netip.AddrPort {
	s, ok := t.RawGetString(key).(glua.LString)
	if !ok {
		L.RaiseError("connection: %s expected, such as \"10.0.0.1:40000\"", key)
	}
	ep, err := netip.ParseAddrPort(string(s))
	if err != nil {
		L.RaiseError("connection: %s: %s", key, err)
	}
	return ep
}
