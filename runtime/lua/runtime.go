package lua

import (
	"math"
	"slices"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/hookdev"
	"github.com/hookd/hookd/runtime/lua/analyse"
	"github.com/hookd/hookd/runtime/lua/bind"
	"github.com/hookd/hookd/runtime/lua/normalise"
	"github.com/hookd/hookd/runtime/lua/source"
	"github.com/hookd/hookd/runtime/lua/vm"
)

// Config is what a runtime is made of.
type Config struct {
	// Catalogue holds the families that scripts can name.
	Catalogue *catalogue.Catalogue
	// Functions are the bodies of the functions that every script has.
	Functions hookdev.Functions
	// Limits are the engine's, with their defaults filled in.
	Limits engine.Limits
	// VM bounds each script's machine; zero fields mean the defaults.
	VM vm.Limits
	// Interpret leaves scripts as they are written: everything runs in the
	// machine, nothing native. It is what the rest is compared with.
	Interpret bool
	// Check examines a script that parses, before it is compiled. Nil checks its
	// names against the catalogue.
	Check func(*source.Chunk) diag.List
}

// Runtime compiles scripts.
type Runtime struct {
	cfg       Config
	objects   []*bind.ObjectType
	events    map[*event.Info]*bind.EventType
	verdicts  []bind.Verdict
	functions []bind.Function
	globals   []string
}

var _ engine.Runtime = (*Runtime)(nil)

// New returns a runtime for the catalogue's families.
func New(cfg Config) *Runtime {
	rt := &Runtime{cfg: cfg, objects: bind.Objects(), events: map[*event.Info]*bind.EventType{}}
	for _, et := range bind.Events() {
		rt.events[et.Info] = et
	}
	for _, v := range bind.Verdicts() {
		if cfg.Catalogue.Family(v.Family) != nil {
			rt.verdicts = append(rt.verdicts, v)
		}
	}
	for _, fn := range bind.HookdFunctions(cfg.Functions) {
		if cfg.Catalogue.Function(fn.Info.Name) != nil {
			rt.functions = append(rt.functions, fn)
		}
	}
	rt.globals = rt.listGlobals()
	if rt.cfg.Check == nil {
		rt.cfg.Check = func(chunk *source.Chunk) diag.List {
			return analyse.Check(chunk, cfg.Catalogue, rt.globals)
		}
	}
	return rt
}

// Globals returns the names that every script has, sorted: the library, the
// declaring words, families and functions.
func (rt *Runtime) Globals() []string { return slices.Clone(rt.globals) }

// listGlobals asks a machine that runs nothing.
func (rt *Runtime) listGlobals() []string {
	in := newInstance(&program{rt: rt, path: "globals"}, &engine.Env{Shard: event.NewShard(0)})
	defer in.Close()
	return in.globalNames(math.MaxInt)
}

// Compile implements [engine.Runtime].
func (rt *Runtime) Compile(src engine.Source) (engine.Program, diag.List) {
	chunk, diags := source.Parse(src.Path, src.Text)
	if chunk == nil {
		return nil, diags
	}
	diags = append(diags, rt.cfg.Check(chunk)...)
	p := &program{rt: rt, path: src.Path, text: src.Text, outline: outlineOf(chunk), facts: factsOf(chunk.Stmts), functions: normalise.Functions{}}
	vm.BoundConcat(chunk.Stmts)
	proto, list := normalise.Compile(chunk, p.functions)
	diags = append(diags, list...)
	diags.Sort()
	if diags.HasErrors() {
		return nil, diags
	}
	p.proto = proto
	return p, diags
}
