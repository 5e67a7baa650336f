package lua

import (
	"strconv"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/store"
	"github.com/hookd/hookd/runtime/lua/source"
	"github.com/hookd/hookd/runtime/lua/vm"
)

// DocLimits lists the limits of scripts and their machines, which are fixed but for
// what a store's declaration says; those of the engine are in [engine.DocLimits].
func DocLimits() []engine.Limit {
	l := vm.Defaults()
	n := func(name string, v int, doc string) engine.Limit {
		return engine.Limit{Name: name, Default: strconv.Itoa(v), Doc: doc}
	}
	return []engine.Limit{
		n("source_bytes", source.MaxSize, "a script's text (fixed)"),
		n("source_nesting", source.MaxNesting, "brackets, blocks and unary operators inside one another (fixed)"),
		n("load_seconds", int(loadTime.Seconds()), "a script's top level, by the clock of the machine (fixed)"),
		n("string_bytes", l.MaxString, "the longest string that a function or .. makes (fixed)"),
		n("call_depth", l.CallDepth, "calls inside one another (fixed)"),
		n("call_values", l.Stack, "values that the calls of a thread hold at once (fixed)"),
		n("coroutines", l.Coroutines, "a script's coroutines that are not finished, with handlers that wait and what spawn started (fixed)"),
		n("console_instructions", ConsoleInstructions, "one evaluation at a console (fixed)"),
		n("console_slice", ConsoleSlice, "instructions of it that run at a time; events are served in between (fixed)"),
		n("store_entries", store.DefaultMax, "a store's entries, where its max says nothing else"),
		n("store_bytes", store.DefaultMaxBytes, "a store's memory, where its max_bytes says nothing else"),
	}
}
