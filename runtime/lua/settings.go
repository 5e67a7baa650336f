package lua

import (
	"fmt"
	"maps"
	"slices"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
)

var settingsKeys = []string{"limits", "metrics", "observe", "shards"}

// settingsInScript is settings { … } where it does not belong.
func (in *instance) settingsInScript(L *glua.LState) int {
	in.raise(L, remark{
		msg:  "settings in a script",
		hint: fmt.Sprintf("they stand in %s at the root of the scripts", engine.SettingsFile), word: "settings",
	})
	return 0
}

// Settings runs a settings file and returns what it sets, in the order in which
// it does. It declares nothing else.
func (rt *Runtime) Settings(src engine.Source) ([]engine.Setting, diag.List) {
	compiled, diags := rt.Compile(src)
	if compiled == nil {
		return nil, diags
	}
	in := newInstance(compiled.(*program), &engine.Env{Shard: event.NewShard(0), Path: src.Path})
	defer in.Close()
	d := &declarer{in: in, plan: &engine.Plan{}}
	r := &settingsReader{d: d}
	L, g := in.vm.State(), in.vm.Globals()
	for _, word := range []string{"rule", "timer", "script", "store", "event", "state", "raise", "require", "data"} {
		g.RawSetString(word, L.NewFunction(func(L *glua.LState) int {
			in.raise(L, remark{msg: fmt.Sprintf("%s in %s", word, engine.SettingsFile), hint: "it holds settings { … }; the rest stands in scripts", word: word})
			return 0
		}))
	}
	g.RawSetString("settings", L.NewFunction(r.settings))
	if in.load(d) && r.line == 0 {
		d.report(remark{msg: "there are no settings", hint: "as in settings { observe = true }"})
	}
	diags = append(diags, d.diags...)
	diags.Sort()
	if diags.HasErrors() {
		return nil, diags
	}
	return r.list, diags
}

// settingsReader collects what a settings file says.
type settingsReader struct {
	d    *declarer
	line int // of settings { … }
	list []engine.Setting
}

// settings is settings { … }.
func (r *settingsReader) settings(L *glua.LState) int {
	in := r.d.in
	line := in.line(L)
	t := in.declaredTable(L, "settings", 1)
	if r.line > 0 {
		in.raise(L, remark{msg: fmt.Sprintf("settings: said twice, first at line %d", r.line), word: "settings"})
	}
	r.line = line
	cfg := &in.prog.rt.cfg
	families, outside := slices.Sorted(maps.Keys(cfg.Settings)), slices.Sorted(maps.Keys(cfg.SettingsOutside))
	f := r.d.fields("settings", "", line, t, slices.Concat(families, outside, settingsKeys))
	if f.has("observe") {
		r.add("observe", f.boolean("observe", false), f.at("observe"))
	}
	if f.has("shards") {
		r.add("shards", float64(f.integer("shards", 1, engine.MaxShards)), f.at("shards"))
	}
	if f.has("metrics") {
		r.metrics(f)
	}
	var scratch engine.Limits
	r.table(f, "limits", "rules = 100", scratch.Set)
	for _, name := range outside {
		if f.has(name) {
			family := cfg.SettingsOutside[name]
			r.one(f, family, name, setValue(f.get(name)), cfg.Settings[family])
		}
	}
	for _, family := range families {
		r.table(f, family, "pick_up = true", cfg.Settings[family])
	}
	return 0
}

// one notes a setting of a table that f says, if check takes it and it was not said before.
func (r *settingsReader) one(f *fields, table, name string, value any, check func(name string, value any) error) {
	full := table + "." + name
	if i := slices.IndexFunc(r.list, func(s engine.Setting) bool { return s.Name == full }); i >= 0 {
		f.report(name, fmt.Sprintf("%s is said twice, first at line %d", name, r.list[i].Line), fmt.Sprintf("it is the same inside and outside of %s = { … }", table))
		return
	}
	if err := check(name, value); err != nil {
		f.report(name, fmt.Sprintf("%s: %v", name, err), "")
		return
	}
	r.add(full, value, f.at(name))
}

// metrics reads where metrics are served: a port, or an address and a port.
func (r *settingsReader) metrics(f *fields) {
	where := ""
	switch v := f.get("metrics").(type) {
	case glua.LNumber:
		where = fmt.Sprint(f.integer("metrics", 1, 65535))
	case glua.LString:
		where = string(v)
	default:
		f.wrong("metrics", "a port or an address and a port")
		return
	}
	r.add("metrics", where, f.at("metrics"))
}

func (r *settingsReader) add(name string, value any, line int) {
	r.list = append(r.list, engine.Setting{Name: name, Value: value, File: r.d.in.prog.path, Line: line})
}

// table reads key = { name = value }, each of which check takes.
func (r *settingsReader) table(f *fields, key, example string, check func(name string, value any) error) {
	if !f.has(key) {
		return
	}
	t, ok := f.get(key).(*glua.LTable)
	if !ok {
		f.wrong(key, "a table")
		return
	}
	sub := &fields{d: r.d, title: "settings: " + key, line: f.at(key), t: t, node: tableOf(fieldOf(f.node, key))}
	for k, v := t.Next(glua.LNil); k != glua.LNil; k, v = t.Next(k) {
		name, ok := k.(glua.LString)
		if !ok {
			r.d.report(remark{msg: "settings: " + key + ": every entry has a name", hint: "as in " + example, line: sub.line})
			continue
		}
		r.one(sub, key, string(name), setValue(v), check)
	}
}

// setValue returns the value of a setting; nil for what none has.
func setValue(v glua.LValue) any {
	switch v := v.(type) {
	case glua.LBool:
		return bool(v)
	case glua.LNumber:
		return float64(v)
	case glua.LString:
		return string(v)
	case *glua.LTable:
		list := []any{}
		for k, item := v.Next(glua.LNil); k != glua.LNil; k, item = v.Next(k) {
			list = append(list, setValue(item))
		}
		return list
	}
	return nil
}
