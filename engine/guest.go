package engine

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/store"
)

// Guest is a script without a file: what somebody declares at a console. Its
// rules run among those of the scripts at once and over reloads, until it leaves;
// then nothing of it is left. It belongs to one goroutine; its machine is used, as
// any other, by who entered its shard.
type Guest struct {
	engine  *Engine
	script  *script
	dropped func(diag.List)
	stores  bool // it declared some
}

// MaxGuests is how many there may be at a time.
const MaxGuests = 64

var errGuests = fmt.Errorf("engine: %d consoles are open, which is the most", MaxGuests)

// Invite makes a guest. open makes its machine, which declares nothing yet.
// dropped is told, with the shard entered, when what it declared does not fit a
// new generation and is gone. name is made one that no script and no other guest
// has. It is in the first shard: where there are several, its rules see what that
// one has.
func (e *Engine) Invite(name string, open func(*Env) Instance, dropped func(diag.List)) (*Guest, error) {
	e.changing.Lock()
	defer e.changing.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.guests) >= MaxGuests {
		return nil, errGuests
	}
	path := name
	for n := 2; e.live.scripts[path] != nil; n++ {
		path = fmt.Sprintf("%s-%d", name, n)
	}
	s := e.shards[0]
	kept := e.keptOf(path)
	sc := &script{path: path, plan: &Plan{}, kept: kept, guest: true, reads: &Reads{}}
	sc.env = &Env{
		Shard: s.Shard, Path: path, Gen: e.live.Number, Stores: e.stores.Stage(), State: kept.state,
		Services: s, Modules: e.live.modules, Data: noData,
		Loaded: e.set.Clock().Now(), Serials: &atomic.Uint64{},
	}
	s.Enter()
	sc.instance = open(sc.env)
	s.Leave()
	g := &Guest{engine: e, script: sc, dropped: dropped}
	e.guests = append(e.guests, g)
	e.seat(e.live.plain())
	return g, nil
}

// noData is [Env.Data] of guests.
func noData(_, name string) (*Data, error) {
	return nil, fmt.Errorf("%s: a console has no folder that data files are in", name)
}

// Path is what the guest is called where scripts are.
func (g *Guest) Path() string { return g.script.path }

// Env is what its machine uses of the engine.
func (g *Guest) Env() *Env { return g.script.env }

// Reads notes what the guest may read from now on, and reports whether that is
// more than before: then stacks are to ask [Engine.Reads] again.
func (g *Guest) Reads(r *Reads) (more bool) {
	g.engine.mu.Lock()
	defer g.engine.mu.Unlock()
	all := g.script.reads
	fields, names, computed, escapes := len(all.Fields), len(all.Names), all.Computed, all.Escapes
	all.merge(r)
	return len(all.Fields) > fields || len(all.Names) > names || all.Computed != computed || all.Escapes != escapes
}

// Begin lets the guest declare stores until [Guest.Declare].
func (g *Guest) Begin() {
	s := g.engine.shards[0]
	stores := g.engine.stores.Stage()
	s.Enter()
	g.script.env.Stores = stores
	s.Leave()
}

// Declare puts plan in the place of what the guest declared before. Its lines are
// those of text; stores says that some were declared since [Guest.Begin]. With
// errors in the list nothing changed.
func (g *Guest) Declare(plan *Plan, text []byte, stores bool) diag.List {
	e := g.engine
	e.changing.Lock()
	defer e.changing.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	before := *g.script
	g.script.plan, g.script.text, g.script.fresh = plan, text, true
	defer func() { g.script.fresh = false }()
	base := e.live.plain()
	base.known()
	next, diags := base.with(e, e.guests)
	if !diags.HasErrors() && stores {
		if err := g.publishStores(g.script.env.Stores); err != nil {
			diags = append(diags, &diag.Diagnostic{File: g.script.path, Msg: err.Error(), Hint: "try again"})
		}
	}
	if diags.HasErrors() {
		g.script.plan, g.script.text = before.plan, before.text
		return diags
	}
	g.stores = g.stores || stores
	e.settleOn(next)
	return diags
}

func (g *Guest) publishStores(st *store.Staging) error {
	s := g.engine.shards[0]
	s.Enter()
	defer s.Leave()
	return st.Publish()
}

// Leave takes away what the guest declared, what it bound, what of it waits, its
// state and its machine.
func (g *Guest) Leave() error {
	e := g.engine
	e.changing.Lock()
	defer e.changing.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	i := slices.Index(e.guests, g)
	if i < 0 {
		return errors.New("engine: the guest has left before")
	}
	e.guests = slices.Delete(e.guests, i, i+1)
	s := e.shards[0]
	s.Enter()
	if src := s.sources[g.script.instance]; src != nil {
		s.cut(src, "its console was left")
	}
	s.cancel(g.script.instance)
	s.Leave()
	e.seat(e.live.plain())
	g.script.kept.gone.Store(true)
	delete(e.kept, g.script.path)
	s.Enter()
	delete(s.used, g.script.path)
	s.Leave()
	if !g.stores {
		return nil
	}
	st := e.stores.Stage()
	st.Forget(g.script.path)
	return g.publishStores(st)
}

// plain is g without its guests.
func (g *Generation) plain() *Generation {
	if g.base != nil {
		return g.base
	}
	return g
}

// with returns g with guests among its scripts.
func (g *Generation) with(e *Engine, guests []*Guest) (*Generation, diag.List) {
	next := *g
	next.base = g
	next.order, next.scripts, next.users, next.overlaps = nil, map[string]*script{}, map[string]*userEvent{}, nil
	add := func(sc *script) {
		own := *sc
		next.scripts[own.path] = &own
		next.order = append(next.order, &own)
	}
	for _, sc := range g.order {
		add(sc)
	}
	for _, guest := range guests {
		add(guest.script)
	}
	st := &Staged{engine: e, gen: &next}
	return &next, st.resolve(&next)
}

// seat makes g with all guests live. Guests whose declarations do not fit lose
// them.
func (e *Engine) seat(g *Generation) {
	g.known()
	e.settleOn(e.fit(g))
}

// known notes that what the scripts of g are new for was dealt with, when g itself
// became live.
func (g *Generation) known() {
	for _, part := range g.shards() {
		for _, sc := range part.order {
			sc.fresh = false
		}
	}
}

// fit returns g with those guests that fit it.
func (e *Engine) fit(g *Generation) *Generation {
	if len(e.guests) == 0 {
		return g
	}
	next, diags := g.with(e, e.guests)
	for _, guest := range e.guests {
		if !diags.HasErrors() {
			break
		}
		mine := slices.DeleteFunc(slices.Clone(diags), func(d *diag.Diagnostic) bool { return d.File != guest.script.path })
		if len(mine) > 0 {
			guest.script.plan = &Plan{}
			guest.dropped(mine)
		}
		next, diags = g.with(e, e.guests)
	}
	if diags.HasErrors() { // it was said of a script what a guest is to blame for
		for _, guest := range e.guests {
			if len(guest.script.plan.Rules)+len(guest.script.plan.Events)+len(guest.script.plan.Timers) > 0 {
				guest.script.plan = &Plan{}
				guest.dropped(diags)
			}
		}
		next, _ = g.with(e, e.guests)
	}
	return next
}

// settleOn makes a generation live that has the same scripts as the live one,
// and other guests.
func (e *Engine) settleOn(next *Generation) {
	old := e.live
	e.edit(next)
	e.live = next
	e.adopt(old, next)
	e.take(next)
}

// edit numbers what is about to be live.
func (e *Engine) edit(g *Generation) {
	e.editions++
	for _, part := range g.shards() {
		part.edition = e.editions
	}
}

// Visit calls see with the machine of a live script and with what that uses of
// the engine, having entered its shard; the error says that there is no such
// script.
func (e *Engine) Visit(path string, see func(Instance, *Env)) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	sc := e.live.scripts[path]
	if sc == nil || sc.guest {
		names := make([]string, 0, len(e.live.order))
		for _, sc := range e.live.plain().order {
			names = append(names, sc.path)
		}
		hint := ""
		if near := diag.Nearest(path, names); near != "" {
			hint = "; did you mean " + near + "?"
		}
		return fmt.Errorf("no script %s is live%s", path, hint)
	}
	s := e.shards[0]
	s.Enter()
	defer s.Leave()
	see(sc.instance, sc.env)
	return nil
}

// Scripts returns the paths of the live scripts, sorted.
func (e *Engine) Scripts() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.live.plain().Scripts()
}
