package engine

import (
	"errors"
	"maps"
	"math"
	"slices"

	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
)

// UserTap observes a user-defined event before the rules that are bound to it. The
// call, whose event it is, is lent.
type UserTap func(*Call)

// UserEvent is a user-defined event that is live, at one phase of its base.
type UserEvent struct {
	// Name is "event.http_get" at the phase that is meant without one, else
	// "event.http_get.snd".
	Name string
	// Info and Where are its base; nil where it is only ever raised.
	Info  *event.Info
	Where *event.PointInfo
}

// UserEvents lists the user-defined events that are live, sorted by name.
func (e *Engine) UserEvents() []UserEvent {
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []UserEvent
	for _, name := range slices.Sorted(maps.Keys(e.live.users)) {
		u := e.live.users[name]
		if u.base == nil {
			list = append(list, UserEvent{Name: "event." + name})
			continue
		}
		list = append(list, UserEvent{"event." + name, u.base, &u.base.Points[u.phase]})
		for i := range u.base.Points {
			if p := &u.base.Points[i]; i != u.phase && p.Phase != "" {
				list = append(list, UserEvent{"event." + name + "." + p.Phase, u.base, p})
			}
		}
	}
	return list
}

// AttachUser lets t see a user-defined event, by its name, on all shards, until
// detach is called: as [Engine.Attach] does for hook points. It is a rule that decides
// nothing, of a guest. The error says that no script declares the event, or that there
// are too many guests; gone is called when a generation does not declare it any more,
// and nothing comes then.
func (e *Engine) AttachUser(name string, t UserTap, gone func()) (detach func(), err error) {
	g, err := e.tapUser(name, t, gone)
	if g != nil {
		detach = func() { _ = g.Leave() } // it fails the second time
	}
	if err != nil && g != nil {
		detach()
	}
	return detach, err
}

// tapUser invites the guest that taps, with its machines on all shards and its rule in
// one step, as each makes the plans anew. With an error it may return the guest, who
// has to leave.
func (e *Engine) tapUser(name string, t UserTap, gone func()) (*Guest, error) {
	e.changing.Lock()
	defer e.changing.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	g, err := e.invited("trace", func(diag.List) { gone() })
	if err != nil {
		return nil, err
	}
	plan := &Plan{Rules: []*RuleDecl{{
		Name: name, Line: 1, On: []PointRef{{Name: name, Line: 1}}, Run: 1, Priority: math.MaxInt32,
	}}}
	for i := range e.shards {
		g.open(i, func(*Env) Instance { return &userTaps{t} })
		part := g.parts[i]
		part.plan, part.fresh = plan, true
		defer func() { part.fresh = false }()
	}
	base := e.live.plain()
	base.known()
	next, diags := base.with(e, e.guests)
	if diags.HasErrors() {
		return g, diags
	}
	e.settleOn(next)
	return g, nil
}

var errNoFilter = errors.New("engine: a tap has no filter")

// userTaps is the machine of a guest that taps: its one function.
type userTaps struct{ tap UserTap }

// Filter implements [Instance]: there is none.
func (*userTaps) Filter(FuncID, *Call) (bool, error) { return false, errNoFilter }

// Run implements [Instance].
func (u *userTaps) Run(_ FuncID, c *Call) (*Decision, error) {
	u.tap(c)
	return nil, nil
}

// MayWait implements [Instance].
func (*userTaps) MayWait(FuncID) bool { return false }

// Start implements [Instance]: it waits for nothing.
func (u *userTaps) Start(_ FuncID, c *Call, ended func(Decision, error)) Suspended {
	u.tap(c)
	ended(Decision{}, nil)
	return nil
}

// Waiting implements [Instance].
func (*userTaps) Waiting() int { return 0 }

// CancelWaits implements [Instance].
func (*userTaps) CancelWaits(error) {}

// Release implements [Instance].
func (*userTaps) Release(FuncID) {}

// Close implements [Instance].
func (*userTaps) Close() {}
