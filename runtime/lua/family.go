package lua

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/runtime/lua/bind"
	"github.com/hookd/hookd/runtime/lua/lib"
)

// family is a read-only table of the API: flow, hookd, log, is.
type family struct {
	name string
	has  string // what it has: "hook point, verdict or function"
}

// String is what tostring gives.
func (f *family) String() string { return f.name }

// openFunctions installs the catalogue's functions that are in no table.
func (in *instance) openFunctions() {
	for _, fn := range in.prog.rt.functions {
		if !strings.Contains(fn.Info.Name, ".") {
			in.vm.Globals().RawSetString(fn.Info.Name, in.functionValue(fn))
		}
	}
}

func (in *instance) functionValue(fn bind.Function) glua.LValue {
	return in.vm.State().NewFunction(func(L *glua.LState) int { return fn.Call(in, L) })
}

// family makes the catalogue's table of that name, of a family or of functions,
// and installs it; false if there is none.
func (in *instance) family(name string) bool {
	f := &family{name: name, has: "function"}
	members := map[string]glua.LValue{}
	if fam := in.prog.rt.cfg.Catalogue.Family(name); fam != nil {
		f.has = "hook point, verdict or function"
		for _, info := range fam.Events {
			members[last(info.Name)] = in.point(&point{name: info.Name, info: info})
		}
		for _, ud := range in.verdictsOf(fam) {
			if ud != nil {
				in.verdictMember(members, ud)
			}
		}
	}
	in.openFixtures(name, members)
	for _, fn := range in.prog.rt.functions {
		if table, member, dotted := strings.Cut(fn.Info.Name, "."); dotted && table == name {
			members[member] = in.functionValue(fn)
		}
	}
	if len(members) == 0 && f.has == "function" {
		return false
	}
	in.api(f, members)
	return true
}

// verdictMember puts a verdict into its family's table. Where a hook point has its
// name, as loop.accept has, that is the verdict too.
func (in *instance) verdictMember(members map[string]glua.LValue, ud *glua.LUserData) {
	name := ud.Value.(*verdict).info.Name
	if p, ok := valueOf[*point](members[name]); ok {
		p.verdict = ud
		return
	}
	members[name] = ud
}

// listTables lists the tables that are made when a script first reads them.
func (rt *Runtime) listTables() []string {
	names := append(lib.Names(), "is", "math")
	for _, f := range rt.cfg.Catalogue.Families() {
		names = append(names, f.Name)
		for _, fn := range f.Functions {
			if table, word, dotted := strings.Cut(fn.Name, "."); dotted && fn.Native && slices.Contains(fixtureWords[:], word) {
				names = append(names, table)
			}
		}
	}
	for _, fn := range rt.functions {
		if table, _, dotted := strings.Cut(fn.Info.Name, "."); dotted {
			names = append(names, table)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
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
	// verdict is what the same name means where something is decided; nil for most.
	verdict *glua.LUserData
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
