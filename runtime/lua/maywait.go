package lua

import (
	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine"
)

// listWaiting lists the last words of what may wait: "sleep", "read", "get".
func (rt *Runtime) listWaiting() map[string]bool {
	names := map[string]bool{}
	for _, fn := range rt.functions {
		if fn.Info.Waits {
			names[last(fn.Info.Name)] = true
		}
	}
	for _, f := range rt.cfg.Catalogue.Families() {
		for _, o := range f.Objects {
			for i := range o.Methods {
				if o.Methods[i].Waits {
					names[o.Methods[i].Name] = true
				}
			}
		}
	}
	return names
}

// MayWait implements [engine.Instance]: a task costs more than most handlers do, so
// those that name nothing that waits are called without one. A function that calls
// others of its script may wait where any of that does. A name that is put together
// when it is used is not seen here; what it names says that it cannot wait.
func (in *instance) MayWait(fn engine.FuncID) bool {
	if fn < 1 || int(fn) > len(in.funcs) || in.funcs[fn-1].fn == nil || in.funcs[fn-1].fn.Proto == nil {
		return true
	}
	f := in.funcs[fn-1].fn
	named, calls := in.prog.rt.names(f.Proto, in.vm.Globals())
	return named || (calls || f.Proto.NumUpvalues > 0) && in.scriptWaits()
}

// scriptWaits reports whether the script, or a module that it required, names what
// waits.
func (in *instance) scriptWaits() bool {
	if named, _ := in.prog.rt.names(in.prog.proto, nil); named {
		return true
	}
	for _, f := range in.required.files {
		if named, _ := in.prog.rt.names(f.proto, nil); named {
			return true
		}
	}
	return false
}

// names reports whether a function, or one inside it, names what waits, or a function
// that the script has as a global.
func (rt *Runtime) names(p *glua.FunctionProto, globals *glua.LTable) (waits, calls bool) {
	if p == nil {
		return true, true
	}
	rt.waitsOnce.Do(func() { rt.waiting = rt.listWaiting() })
	for _, c := range p.Constants {
		word, ok := c.(glua.LString)
		if !ok {
			continue
		}
		if rt.waiting[string(word)] {
			return true, true
		}
		if globals != nil {
			f, ok := globals.RawGetString(string(word)).(*glua.LFunction)
			calls = calls || ok && !f.IsG
		}
	}
	for _, inner := range p.FunctionPrototypes {
		w, c := rt.names(inner, globals)
		if w {
			return true, true
		}
		calls = calls || c
	}
	return false, calls
}
