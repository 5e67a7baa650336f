package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"sort"
	"sync/atomic"
	"time"

	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/match"
	"github.com/hookd/hookd/engine/record"
	"github.com/hookd/hookd/engine/store"
)

// Generation is the set of all scripts and bindings that is or was live,
// immutable once staged.
type Generation struct {
	Number uint64
	// Hash is the content hash of all sources, in hexadecimal.
	Hash string
	// Changed are the scripts whose text differs from the generation before, or
	// that of a module they require or a data file they read.
	Changed []string

	// Files are the data files that its scripts and stores were read from, sorted.
	Files []string

	// Handover says what it took over when it was published.
	Handover Handover

	order   []*script // by path
	scripts map[string]*script
	plans   map[event.PointID]*pointPlan
	users   map[string]*userEvent
	modules *Modules
	// overlaps are what rules want of overlaps, in the rules' order.
	overlaps []overlap

	// base is the same without guests, nil where it has none. edition numbers what
	// was live, with whatever guests.
	base    *Generation
	edition uint64

	// others are the same for the shards behind the first, each with VMs of its
	// own. Guests may be in some of them only.
	others []*Generation
}

// script is one script of a generation.
type script struct {
	path     string
	text     []byte
	hash     [sha256.Size]byte
	program  Program
	instance Instance
	plan     *Plan
	env      *Env
	kept     *kept
	rules    []*rule
	named    map[string]*rule
	fresh    bool   // staged for this generation; else taken over with its VM
	guest    bool   // it has no file
	reads    *Reads // of a guest
}

// userEvent is a declared user-defined event, resolved.
type userEvent struct {
	decl   *EventDecl
	script *script
	base   *event.Info // nil where it is only raised
	parent *userEvent
	// phase is the index of the base's point that the bare name means.
	phase int
	// nodes are its places below hook points; free is its own where it has no
	// base.
	nodes map[event.PointID]*node
	free  *pointPlan
	// matches is its match, compiled.
	matches match.Predicate
	// health of its filter; it outlives generations that leave its script alone.
	health *health
}

func emptyGeneration() *Generation {
	return &Generation{scripts: map[string]*script{}, users: map[string]*userEvent{}}
}

// Scripts returns the paths of the generation's scripts, sorted.
func (g *Generation) Scripts() []string {
	paths := make([]string, len(g.order))
	for i, sc := range g.order {
		paths[i] = sc.path
	}
	return paths
}

// rule finds a live rule by script and name.
func (g *Generation) rule(path, name string) *rule {
	sc := g.scripts[path]
	if sc == nil {
		return nil
	}
	return sc.named[name]
}

// close ends the machine of a script that nothing needs any more. Handlers that are
// bound to idle objects may refer to the script until their next event, so it lets
// go of what is large.
func (sc *script) close() {
	sc.instance.Close()
	sc.program, sc.text, sc.env, sc.plan, sc.rules, sc.named = nil, nil, nil, nil, nil, nil
}

// didYouMeanEvent ends a message about an unknown user-defined event.
func (g *Generation) didYouMeanEvent(name string) string {
	names := make([]string, 0, len(g.users))
	for n := range g.users {
		names = append(names, n)
	}
	sort.Strings(names)
	if near := diag.Nearest(name, names); near != "" {
		return "; did you mean event." + near + "?"
	}
	return ""
}

// Staged is a generation that is ready to be published, and not live.
type Staged struct {
	engine *Engine
	gen    *Generation
	stores *store.Staging
	states []*record.Root
	// changes are what becomes of fixtures.
	changes []FixtureChange
	done    bool
	begun   time.Time

	sources map[string]*Source // by path
	files   map[string]*Data   // read so far, by path
	damaged []string           // stores whose saved content could not be read
}

// attempt is what is remembered of a generation that was not published.
type attempt struct {
	hash    string
	changed []string
	begun   time.Time
}

// Generation returns what would be published.
func (st *Staged) Generation() *Generation { return st.gen }

// Stage compiles the sources, runs each changed script's top level aside, and
// resolves what they declare. Nothing that is live changes. With errors in the
// list there is nothing to publish and the live generation goes on; a script
// whose text is unchanged, and that of what it requires, keeps its VM. Others who
// change what is live wait meanwhile; who only asks does not.
func (e *Engine) Stage(sources []Source) (*Staged, diag.List) {
	e.changing.Lock()
	defer e.changing.Unlock()
	st := &Staged{
		begun: time.Now(), engine: e, gen: emptyGeneration(), stores: e.stores.Stage(),
		sources: map[string]*Source{}, files: map[string]*Data{},
	}
	for i := range sources {
		st.sources[sources[i].Path] = &sources[i]
	}
	st.gen.Number = e.live.Number + 1
	scripts, modules := split(sources)
	shipped := shippedFor(sources, e.cfg.Shipped)
	for i := range shipped {
		st.sources[shipped[i].Path] = &shipped[i]
	}
	modules = append(modules, shipped...)
	var diags diag.List
	st.gen.modules, diags = newModules(modules, e.live.modules)
	diags = append(diags, st.gen.modules.compile(e.runtime)...)
	diags = append(diags, st.compile(scripts)...)
	if !diags.HasErrors() {
		diags = append(diags, st.run()...)
	}
	if !diags.HasErrors() {
		diags = append(diags, st.runOthers()...)
	}
	if !diags.HasErrors() {
		diags = append(diags, st.resolve(st.gen)...)
		for _, g := range st.gen.others {
			st.resolve(g) // says the same again
		}
	}
	if !diags.HasErrors() {
		diags = append(diags, st.fill()...)
	}
	if !diags.HasErrors() {
		diags = append(diags, st.fixtures()...)
	}
	diags.Sort()
	if diags.HasErrors() {
		e.mu.Lock()
		defer e.mu.Unlock()
		st.discard()
		e.failures++
		return nil, diags
	}
	st.gen.Files = slices.Sorted(maps.Keys(st.files))
	st.settle()
	return st, diags
}

// settle takes from the scripts what they had for their top levels: a script
// outlives its generation, and would keep what else was staged with it.
func (st *Staged) settle() {
	for _, g := range st.gen.shards() {
		for _, sc := range g.order {
			if sc.fresh {
				sc.env.Stores, sc.env.Data = nil, nil
			}
		}
	}
}

// compile makes programs of the changed sources and takes over the others.
func (st *Staged) compile(sources []Source) diag.List {
	var diags diag.List
	all := sha256.New()
	st.gen.modules.addTo(all)
	for _, src := range sources {
		hash := sha256.Sum256(src.Text)
		all.Write([]byte(src.Path))
		all.Write(hash[:])
		sc := &script{path: src.Path, text: src.Text, hash: hash, kept: st.engine.keeping(src.Path)}
		if old := st.engine.live.scripts[src.Path]; old != nil && old.hash == hash && !st.gen.modules.changed(old.plan.Requires) && !st.dataChanged(old.plan.Files) {
			sc.program, sc.instance, sc.plan, sc.env = old.program, old.instance, old.plan, old.env
		} else {
			program, list := st.engine.runtime.Compile(src)
			diags = append(diags, list...)
			sc.program, sc.fresh = program, true
			st.gen.Changed = append(st.gen.Changed, src.Path)
		}
		if st.gen.scripts[src.Path] != nil {
			diags = append(diags, &diag.Diagnostic{File: src.Path, Msg: "there are two scripts of this name"})
			continue
		}
		st.gen.scripts[src.Path] = sc
		st.gen.order = append(st.gen.order, sc)
	}
	st.gen.Hash = hex.EncodeToString(all.Sum(nil)[:8])
	return diags
}

// run executes the top level of what is fresh, outside of the shards, which go on
// meanwhile.
func (st *Staged) run() diag.List {
	var diags diag.List
	for path := range st.engine.live.plain().scripts {
		if sc := st.gen.scripts[path]; sc == nil || sc.fresh {
			st.stores.Forget(path)
		}
	}
	now := st.engine.set.Clock().Now()
	for _, sc := range st.gen.order {
		if !sc.fresh {
			continue
		}
		state := sc.kept.state.Stage()
		st.states = append(st.states, state)
		s := st.engine.shards[0]
		sc.env = &Env{
			Shard: s.Shard, Path: sc.path, Gen: st.gen.Number, Loaded: now, Serials: &atomic.Uint64{},
			Stores: st.stores, State: state, Services: s, Modules: st.gen.modules, Data: st.data,
		}
		instance, plan, list := sc.program.Stage(sc.env)
		diags = append(diags, list...)
		sc.instance, sc.plan = instance, plan
	}
	return diags
}

// Discard drops what was staged.
func (st *Staged) Discard() {
	st.engine.changing.Lock()
	defer st.engine.changing.Unlock()
	st.engine.mu.Lock()
	defer st.engine.mu.Unlock()
	st.discard()
}

func (st *Staged) discard() {
	if st.done {
		return
	}
	st.done = true
	st.engine.refused = &attempt{st.gen.Hash, st.gen.Changed, st.begun}
	for _, c := range st.changes {
		c.Abort()
	}
	st.stores.Discard()
	for _, r := range st.states {
		r.Discard()
	}
	for _, g := range st.gen.shards() {
		for _, sc := range g.order {
			if sc.fresh && sc.instance != nil {
				sc.instance.Close()
			}
		}
	}
	st.engine.forget()
}
