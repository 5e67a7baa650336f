package lua

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/record"
)

// selector is a selection in a machine of its own, on one shard.
type selector struct {
	in    *instance
	rules map[*event.Info]*selectorRule
	call  engine.Call
}

type selectorRule struct {
	when   engine.FuncID
	native engine.Native // nil where the expression has no native form
}

// On implements [engine.Selection]. The machine hangs nothing on objects: it
// leaves nothing behind.
func (s *selection) On(sh *event.Shard) (engine.Selector, error) {
	limits := record.ConnLimits()
	env := &engine.Env{
		Shard: sh, Path: selectionName, Services: onlooker{&limits, rand.NewPCG(1, 2)},
		State: record.NewRoot("state", &limits),
	}
	x := &selector{in: newInstance(s.prog, env), rules: map[*event.Info]*selectorRule{}}
	x.in.passing = true
	x.call.Shard, x.call.Script, x.call.Rule = sh, selectionName, "where"
	d := &declarer{in: x.in, plan: &engine.Plan{}}
	if ok := x.in.load(d); !ok || d.diags.HasErrors() {
		x.Close()
		return nil, fmt.Errorf("lua: prepare a selection: %w", d.diags)
	}
	for i, r := range d.plan.Rules {
		info := s.infos[i]
		x.rules[info] = &selectorRule{r.When, r.NativeWhen.Make(info)}
	}
	return x, nil
}

// Selects implements [engine.Selector].
func (x *selector) Selects(info *event.Info, where *event.PointInfo, e any) (bool, error) {
	r := x.rules[info]
	if r == nil {
		return false, nil
	}
	if r.native != nil {
		if answer := r.native(e); answer != engine.Ask {
			return answer == engine.Yes, nil
		}
	}
	c := &x.call
	c.Point, c.Event, c.Info, c.Where = where.Name, e, info, where
	ok, err := x.in.Filter(r.when, c)
	c.Event = nil
	var se *engine.ScriptError
	if errors.As(err, &se) {
		// Lines are those of the rules around the expression.
		return false, &engine.ScriptError{Script: selectionName, Message: se.Message, Overrun: se.Overrun}
	}
	return ok, err
}

// Close implements [engine.Selector].
func (x *selector) Close() { x.in.Close() }

// onlooker are the services of what only looks.
type onlooker struct {
	limits  *record.Limits
	numbers *rand.PCG
}

var _ engine.Services = onlooker{}

var errOnlooker = errors.New("an expression only looks")

// Data implements [engine.Services]: an expression has no data of its own.
func (o onlooker) Data(k event.Kept, _ string) *record.Root {
	r := record.NewRoot("data of "+k.Label(), o.limits)
	r.Freeze()
	return r
}

// Random implements [engine.Services]: what scripts get next stays what it is.
func (o onlooker) Random(*engine.Call, string) *rand.PCG { return o.numbers }

// Raise implements [engine.Services].
func (onlooker) Raise(*engine.Call, string, any) error { return errOnlooker }

// Later implements [engine.Services].
func (onlooker) Later(run func()) { run() }

// Failed implements [engine.Services].
func (onlooker) Failed(engine.Instance, *engine.Call, error) {}

// Bind implements [engine.Services].
func (onlooker) Bind(*engine.Call, *engine.Attachment, string, *engine.Handler) error {
	return errOnlooker
}

// Unbind implements [engine.Services].
func (onlooker) Unbind(*engine.Call, *engine.Attachment, string) error { return errOnlooker }

// Delay implements [engine.Services].
func (onlooker) Delay(*engine.Call, *engine.Attachment, time.Duration, bool, *engine.Handler) error {
	return errOnlooker
}

// Cancel implements [engine.Services].
func (onlooker) Cancel(*engine.Call, *engine.Attachment, string) error { return errOnlooker }

// Switch implements [engine.Services].
func (onlooker) Switch(*engine.Call, string, bool) error { return errOnlooker }
