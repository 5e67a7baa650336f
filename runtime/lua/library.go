package lua

import (
	"slices"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/runtime/lua/lib"
)

// table returns the table of that name, which is made when a script first reads
// the global: most scripts need few of them, and each takes memory in every
// machine. It is nil where there is none.
func (in *instance) table(name string) glua.LValue {
	if _, known := slices.BinarySearch(in.prog.rt.tables, name); !known {
		return nil
	}
	members := lib.Open(in.vm.State(), name, lib.Config{
		Limits: in.vm.Strings(), Plain: in.Plain,
		Clock: in.now,
	})
	switch {
	case members != nil:
		in.api(&family{name: name, has: "function"}, members)
	case name == "is":
		in.openIs()
	case !in.family(name):
		return nil
	}
	return in.vm.Globals().RawGetString(name)
}

// now is event time in nanoseconds.
func (in *instance) now() int64 {
	if in.mode == loading {
		return in.env.Loaded
	}
	return in.env.Shard.Now()
}

// absent is asked for a global that is not there.
func (in *instance) absent(L *glua.LState, name string) glua.LValue {
	if table := in.table(name); table != nil {
		return table
	}
	in.unknownGlobal(L, name)
	return glua.LNil
}
