package inspect

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/control"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
)

// maxOverruns is how often the expression of a filter may go over its budget:
// then the filter stops, and selects nothing any more.
const maxOverruns = 3

// Filter selects events by an expression, `--where`, on all shards of an engine.
type Filter struct {
	// Taken are the hook points whose events it may select; LeftOut are those that
	// the expression has no meaning for.
	Taken, LeftOut []*event.PointInfo

	engine    *engine.Engine
	selection engine.Selection
	selectors []engine.Selector // by shard, each for who entered it
	unread    func()            // it reads nothing any more

	errors, overruns atomic.Uint64
	failure          atomic.Pointer[string]
}

// NewFilter compiles an expression for the events of hook points. An expression
// that is wrong is told in diagnostics. What it may read is among [engine.Engine.Reads]
// until it is closed, which it must be.
func NewFilter(e *engine.Engine, where string, points []*event.PointInfo) (*Filter, diag.List, error) {
	infos := make([]*event.Info, len(points))
	for i, p := range points {
		infos[i], _ = e.Catalogue().Point(p.ID)
	}
	selection, diags := e.Select(where, infos)
	if selection == nil {
		return nil, diags, nil
	}
	f := &Filter{engine: e, selection: selection, unread: e.ReadBy(selection.Reads())}
	for i, p := range points {
		if selection.Takes(infos[i]) {
			f.Taken = append(f.Taken, p)
		} else {
			f.LeftOut = append(f.LeftOut, p)
		}
	}
	for i := range e.Shards().Len() {
		s, err := selection.On(e.Shard(i))
		if err != nil {
			f.Close()
			return nil, nil, fmt.Errorf("inspect: filter: %w", err)
		}
		f.selectors = append(f.selectors, s)
	}
	return f, nil, nil
}

// LeftOutNames are the names of the hook points that are left out.
func (f *Filter) LeftOutNames() (names []string) {
	for _, p := range f.LeftOut {
		names = append(names, p.Name)
	}
	return names
}

// Selects reports whether the expression is true of an event. The caller has
// entered s. An event on which the expression fails is counted, and not selected.
func (f *Filter) Selects(s *event.Shard, info *event.Info, where *event.PointInfo, e any) bool {
	if f.Stopped() {
		return false
	}
	ok, err := f.selectors[s.Index()].Selects(info, where, e)
	if err == nil {
		return ok
	}
	text := err.Error()
	f.failure.Store(&text)
	f.errors.Add(1)
	var se *engine.ScriptError
	if errors.As(err, &se) && se.Overrun {
		f.overruns.Add(1)
	}
	return false
}

// Stopped reports whether the expression went over its budget too often. Any
// goroutine may ask.
func (f *Filter) Stopped() bool { return f.overruns.Load() >= maxOverruns }

// Errors returns on how many events the expression failed, and how it did last.
// Any goroutine may ask.
func (f *Filter) Errors() (n uint64, last string) {
	if text := f.failure.Load(); text != nil {
		last = *text
	}
	return f.errors.Load(), last
}

// Close releases what decides. Nobody asks any more, and the caller has entered no
// shard.
func (f *Filter) Close() {
	f.unread()
	for i, x := range f.selectors {
		s := f.engine.Shard(i)
		s.Enter()
		x.Close()
		s.Leave()
	}
}

// refusal is the answer to an expression that is wrong.
func refusal(diags diag.List) error {
	e := control.Errorf(http.StatusUnprocessableEntity, "%s", diags.Error())
	detail, err := json.Marshal(diags)
	if err != nil {
		return err
	}
	e.Detail = detail
	return e
}
