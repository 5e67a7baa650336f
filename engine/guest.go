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
// then nothing of it is left. It belongs to one goroutine; its machines are used, as
// any other, by who entered their shard.
type Guest struct {
	engine  *Engine
	path    string
	kept    *kept
	reads   *Reads
	parts   []*script // by shard; nil where it has no machine
	dropped func(diag.List)
	stores  bool // it declared some
}

// MaxGuests is how many there may be at a time.
const MaxGuests = 64

var errGuests = fmt.Errorf("engine: %d consoles and traces of script's events are open, which is the most", MaxGuests)

// Invite makes a guest of the first shard. open makes its machine there, which
// declares nothing yet. dropped is told, with the shard entered, when what it declared
// does not fit a new generation and is gone. name is made one that no script and no
// other guest has.
func (e *Engine) Invite(name string, open func(*Env) Instance, dropped func(diag.List)) (*Guest, error) {
	e.changing.Lock()
	defer e.changing.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	g, err := e.invited(name, dropped)
	if err != nil {
		return nil, err
	}
	g.open(0, open)
	e.seat(e.live.plain())
	return g, nil
}

// invited adds a guest that has no machine yet.
func (e *Engine) invited(name string, dropped func(diag.List)) (*Guest, error) {
	if len(e.guests) >= MaxGuests {
		return nil, errGuests
	}
	path := name
	for n := 2; e.live.scripts[path] != nil; n++ {
		path = fmt.Sprintf("%s-%d", name, n)
	}
	g := &Guest{
		engine: e, path: path, kept: e.keptOf(path), reads: &Reads{},
		parts: make([]*script, len(e.shards)), dropped: dropped,
	}
	g.kept.last = e.live.Number // a refused reload comes before the next generation says so
	e.guests = append(e.guests, g)
	return g, nil
}

// Join makes a machine of the guest on another shard too, unless it has one there.
// What it declares on a shard sees what that has; its state is one for all.
func (g *Guest) Join(shard int, open func(*Env) Instance) {
	e := g.engine
	e.changing.Lock()
	defer e.changing.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if g.parts[shard] != nil {
		return
	}
	g.open(shard, open)
	e.seat(e.live.plain())
}

// open makes the guest's machine on a shard.
func (g *Guest) open(shard int, open func(*Env) Instance) {
	e, s := g.engine, g.engine.shards[shard]
	sc := &script{path: g.path, plan: &Plan{}, kept: g.kept, guest: true, reads: g.reads}
	sc.env = &Env{
		Shard: s.Shard, Path: g.path, Gen: e.live.Number, Stores: e.stores.Stage(), State: g.kept.state,
		Services: s, Modules: e.live.modules, Data: noData,
		Loaded: e.set.Clock().Now(), Serials: &atomic.Uint64{},
	}
	s.Enter()
	sc.instance = open(sc.env)
	s.Leave()
	g.parts[shard] = sc
}

// noData is [Env.Data] of guests.
func noData(_, name string) (*Data, error) {
	return nil, fmt.Errorf("%s: a console has no folder that data files are in", name)
}

// Path is what the guest is called where scripts are.
func (g *Guest) Path() string { return g.path }

// Env is what its machine on a shard uses of the engine; nil where it has none.
func (g *Guest) Env(shard int) *Env {
	if g.parts[shard] == nil {
		return nil
	}
	return g.parts[shard].env
}

// Reads notes what the guest may read from now on, and reports whether that is
// more than before: then stacks are to ask [Engine.Reads] again.
func (g *Guest) Reads(r *Reads) (more bool) {
	g.engine.mu.Lock()
	defer g.engine.mu.Unlock()
	all := g.reads
	fields, names, computed, escapes := len(all.Fields), len(all.Names), all.Computed, all.Escapes
	all.merge(r)
	return len(all.Fields) > fields || len(all.Names) > names || all.Computed != computed || all.Escapes != escapes
}

// Begin lets the guest declare stores on a shard until [Guest.Declare].
func (g *Guest) Begin(shard int) {
	s := g.engine.shards[shard]
	stores := g.engine.stores.Stage()
	s.Enter()
	g.parts[shard].env.Stores = stores
	s.Leave()
}

// Declare puts plan in the place of what the guest declared on a shard before. Its
// lines are those of text; stores says that some were declared since [Guest.Begin].
// Timers run on the first shard only. With errors in the list nothing changed.
func (g *Guest) Declare(shard int, plan *Plan, text []byte, stores bool) diag.List {
	e := g.engine
	e.changing.Lock()
	defer e.changing.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	part := g.parts[shard]
	before := *part
	part.plan, part.text, part.fresh = plan, text, true
	defer func() { part.fresh = false }()
	base := e.live.plain()
	base.known()
	next, diags := base.with(e, e.guests)
	if !diags.HasErrors() && stores {
		if err := g.publishStores(part.env.Stores); err != nil {
			diags = append(diags, &diag.Diagnostic{File: g.path, Msg: err.Error(), Hint: "try again"})
		}
	}
	if diags.HasErrors() {
		part.plan, part.text = before.plan, before.text
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
// state and its machines.
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
	g.each(func(s *shard, part *script) {
		if src := s.sources[part.instance]; src != nil {
			s.cut(src, "its console was left")
		}
		s.cancel(part.instance)
	})
	e.seat(e.live.plain())
	g.kept.gone.Store(true)
	delete(e.kept, g.path)
	g.each(func(s *shard, _ *script) { delete(s.used, g.path) })
	if !g.stores {
		return nil
	}
	st := e.stores.Stage()
	st.Forget(g.path)
	return g.publishStores(st)
}

// each calls do for the guest's machines, with their shard entered.
func (g *Guest) each(do func(*shard, *script)) {
	for i, part := range g.parts {
		if part == nil {
			continue
		}
		s := g.engine.shards[i]
		s.Enter()
		do(s, part)
		s.Leave()
	}
}

// lose takes away what the guest declared, and says why.
func (g *Guest) lose(why diag.List) {
	for _, part := range g.parts {
		if part != nil {
			part.plan = &Plan{}
		}
	}
	g.dropped(why)
}

// declares reports whether anything of the guest is live.
func (g *Guest) declares() bool {
	return slices.ContainsFunc(g.parts, func(part *script) bool {
		return part != nil && len(part.plan.Rules)+len(part.plan.Events)+len(part.plan.Timers) > 0
	})
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
	next, diags := g.seating(e, guests, 0)
	next.base, next.others = g, nil
	for i, other := range g.others {
		part, list := other.seating(e, guests, i+1)
		next.others = append(next.others, part)
		diags = append(diags, list...)
	}
	return next, diags
}

// seating returns what a shard has of a generation with the guests that have a
// machine there.
func (g *Generation) seating(e *Engine, guests []*Guest, shard int) (*Generation, diag.List) {
	next := *g
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
		if part := guest.parts[shard]; part != nil {
			add(part)
		}
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
		mine := slices.DeleteFunc(slices.Clone(diags), func(d *diag.Diagnostic) bool { return d.File != guest.path })
		if mine.HasErrors() {
			guest.lose(mine)
		}
		next, diags = g.with(e, e.guests)
	}
	if diags.HasErrors() { // it was said of a script what a guest is to blame for
		for _, guest := range e.guests {
			if guest.declares() {
				guest.lose(diags)
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

// Visit calls see with the machine that a live script has on a shard and with what
// that uses of the engine, having entered the shard; the error says that there is no
// such script.
func (e *Engine) Visit(path string, shard int, see func(Instance, *Env)) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	sc := e.live.shards()[shard].scripts[path]
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
	s := e.shards[shard]
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
