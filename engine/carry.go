package engine

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/record"
)

// CarryData returns what scripts keep of an object (its data), as JSON by the script's
// path, for the process that goes on with the object. The shard is entered.
func (e *Engine) CarryData(sh *event.Shard, o event.Kept) map[string]json.RawMessage {
	var all map[string]json.RawMessage
	for path, sc := range e.on(sh).gen.scripts {
		if d, ok := o.Slots().Get(sc.kept).(*dataRoot); ok {
			if all == nil {
				all = map[string]json.RawMessage{}
			}
			all[path] = d.AppendJSON(nil)
		}
	}
	return all
}

// Portable reports whether all that rules did to an object can go to another process:
// what they keep of it can, handlers that are bound to it or unbound from it cannot. The
// shard is entered.
func (e *Engine) Portable(sh *event.Shard, o event.Kept) bool {
	b := e.on(sh).boundTo(o)
	return b == nil || len(b.points)+len(b.timers)+len(b.muted) == 0
}

// TakeData gives an object what scripts kept of it in another process, before any of
// them has seen it. What is of scripts that are not live here, or does not fit into the
// limits, is an error, and the rest is there. The shard is entered.
func (e *Engine) TakeData(sh *event.Shard, o event.Kept, all map[string]json.RawMessage) error {
	s := e.on(sh)
	var errs error
	for path, text := range all {
		sc := s.gen.scripts[path]
		if sc == nil {
			errs = errors.Join(errs, fmt.Errorf("engine: data of %s: script %s is not live", o.Label(), path))
			continue
		}
		root, err := record.DecodeJSON("data of "+o.Label(), &e.dataLimits, text)
		if err != nil {
			errs = errors.Join(errs, fmt.Errorf("engine: data of %s by %s: %w", o.Label(), path, err))
			continue
		}
		s.makeData(o, sc).Root = root
	}
	return errs
}

// on returns the engine's part of a shard.
func (e *Engine) on(sh *event.Shard) *shard {
	for _, s := range e.shards {
		if s.Shard == sh {
			return s
		}
	}
	panic("engine: a shard of another engine")
}
