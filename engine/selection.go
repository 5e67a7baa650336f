package engine

import (
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
)

// Selection is an expression that selects events, compiled: what `--where`
// takes. It may be used by any number of goroutines.
type Selection interface {
	// Takes reports whether the expression has a meaning for the events of info:
	// what it names is there. No event of another kind is selected.
	Takes(info *event.Info) bool
	// Reads returns what of events and objects it may read.
	Reads() *Reads
	// On makes what decides in one shard.
	On(s *event.Shard) (Selector, error)
}

// Selector decides in one shard, and is used and closed by who entered that.
type Selector interface {
	// Selects reports whether the expression is true of an event, a pointer to
	// its struct. One on which it fails, or takes too long, is not selected.
	Selects(info *event.Info, where *event.PointInfo, e any) (bool, error)
	// Close releases it.
	Close()
}

// SelectingRuntime is a [Runtime] that has expressions which select events.
type SelectingRuntime interface {
	// Select compiles an expression for the events of infos. It is wrong where it
	// has a meaning for none of them.
	Select(expr string, infos []*event.Info) (Selection, diag.List)
}

// Select compiles an expression of the scripts' language for the events of infos.
func (e *Engine) Select(expr string, infos []*event.Info) (Selection, diag.List) {
	rt, ok := e.runtime.(SelectingRuntime)
	if !ok {
		return nil, diag.List{{File: "--where", Msg: "there is no language for expressions here"}}
	}
	return rt.Select(expr, infos)
}
