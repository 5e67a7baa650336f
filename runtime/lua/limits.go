package lua

import (
	"strconv"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/runtime/lua/source"
	"github.com/hookd/hookd/runtime/lua/vm"
)

// DocLimits lists the limits of scripts that are fixed; the others are in
// [engine.DocLimits].
func DocLimits() []engine.Limit {
	n := func(name string, v int, doc string) engine.Limit {
		return engine.Limit{Name: name, Default: strconv.Itoa(v), Doc: doc}
	}
	return []engine.Limit{
		n("source_bytes", source.MaxSize, "a script's text (fixed)"),
		n("source_nesting", source.MaxNesting, "brackets, blocks and unary operators inside one another (fixed)"),
		n("array_index", vm.MaxArray, "the greatest key that a table keeps in its array (fixed)"),
		n("lookup_chain", vm.MaxChain, "tables that a lookup goes through by way of __index (fixed)"),
		n("call_nesting", vm.Defaults().Nesting, "protected calls and coroutines inside one another (fixed)"),
	}
}

// machineLimits are the engine's limits that a script's machine keeps.
func machineLimits(l engine.Limits) vm.Limits {
	return vm.Limits{CallDepth: l.CallDepth, Stack: l.CallValues, MaxString: l.StringBytes, Coroutines: l.Coroutines}
}
