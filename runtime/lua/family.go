package lua

import (
	"fmt"
	"sort"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine/event"
)

// family is a read-only table of the API: flow, hookd, log, is.
type family struct {
	name string
	has  string // what it has: "hook point, verdict or function"
}

// String is what tostring gives.
func (f *family) String() string { return f.name }

// openFamilies installs the catalogue's families and functions.
func (in *instance) openFamilies() {
	tables := map[string]map[string]glua.LValue{}
	add := func(table, name string, v glua.LValue) {
		if tables[table] == nil {
			tables[table] = map[string]glua.LValue{}
		}
		tables[table][name] = v
	}
	for _, f := range in.prog.rt.cfg.Catalogue.Families() {
		tables[f.Name] = map[string]glua.LValue{}
		for _, info := range f.Events {
			add(f.Name, last(info.Name), in.point(&point{name: info.Name, info: info}))
		}
		for _, ud := range in.verdicts[f] {
			if ud != nil {
				add(f.Name, ud.Value.(*verdict).info.Name, ud)
			}
		}
	}
	L := in.vm.State()
	for _, fn := range in.prog.rt.functions {
		lf := L.NewFunction(func(L *glua.LState) int { return fn.Call(in, L) })
		if table, name, dotted := strings.Cut(fn.Info.Name, "."); dotted {
			add(table, name, lf)
		} else {
			in.vm.Globals().RawSetString(fn.Info.Name, lf)
		}
	}
	for name, members := range tables {
		f := &family{name: name, has: "function"}
		if in.prog.rt.cfg.Catalogue.Family(name) != nil {
			f.has = "hook point, verdict or function"
		}
		in.api(f, members)
	}
}

// api installs a read-only table as a global.
func (in *instance) api(f *family, members map[string]glua.LValue) *glua.LTable {
	L := in.vm.State()
	names := make([]string, 0, len(members))
	for name := range members {
		names = append(names, name)
	}
	sort.Strings(names)
	t := L.CreateTable(0, len(names))
	for _, name := range names {
		t.RawSetString(name, members[name])
	}
	t.Metatable = in.metatable(f.name, func(L *glua.LState) int {
		key := keyOf(L)
		in.raise(L, remark{
			msg:  fmt.Sprintf("%s has no %s %s", f.name, f.has, key),
			hint: meant(key, names, f.name), word: key,
		})
		return 0
	}, nil, nil)
	mt := in.metatable(f.name, nil, nil, stringerText)
	mt.RawSetString("__index", t)
	in.vm.Globals().RawSetString(f.name, value(f, mt))
	return mt
}

// point names a hook point or a user-defined event.
type point struct {
	name string
	info *event.Info // nil for user-defined events
}

// String is what tostring gives.
func (p *point) String() string { return p.name }

// point returns the userdata of a hook point, the same one each time.
func (in *instance) point(p *point) *glua.LUserData {
	if ud := in.points[p.name]; ud != nil {
		return ud
	}
	ud := value(p, in.meta.point)
	in.points[p.name] = ud
	return ud
}

// pointIndex is flow.rexmit.rcv.
func (in *instance) pointIndex(L *glua.LState) int {
	p, ok := valueOf[*point](L.Get(1))
	if !ok {
		L.RaiseError("hook point expected, got %s", describe(L.Get(1)))
	}
	phase := keyOf(L)
	if p.info != nil {
		in.checkPhase(L, p, phase)
	} else if strings.Count(p.name, ".") > 1 {
		in.raise(L, remark{msg: fmt.Sprintf("%s is a phase already: there is nothing behind it", p.name), word: phase})
	}
	L.Push(in.point(&point{name: p.name + "." + phase, info: nil}))
	return 1
}

// checkPhase raises unless the event has the phase.
func (in *instance) checkPhase(L *glua.LState, p *point, phase string) {
	var phases []string
	for i := range p.info.Points {
		if w := p.info.Points[i].Phase; w != "" {
			phases = append(phases, w)
		}
	}
	phases = append(phases, p.info.Aliases...)
	for _, w := range phases {
		if w == phase {
			return
		}
	}
	in.raise(L, remark{
		msg:  fmt.Sprintf("%s has no phase %s", p.name, phase),
		hint: meant(phase, phases, p.name), word: phase,
	})
}

// valueOf returns what a userdata holds if that is a T.
func valueOf[T any](v glua.LValue) (t T, ok bool) {
	if ud, isUserdata := v.(*glua.LUserData); isUserdata {
		t, ok = ud.Value.(T)
	}
	return t, ok
}
