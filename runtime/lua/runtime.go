package lua

import (
	"math"
	"slices"
	"strings"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/hookdev"
	"github.com/hookd/hookd/runtime/lua/access"
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
	p := &program{rt: rt, path: src.Path, text: src.Text, outline: outlineOf(chunk), names: access.Survey(chunk.Stmts)}
	list := p.compile(chunk, !rt.cfg.Interpret)
	if list.HasErrors() && !rt.cfg.Interpret {
		// A second form may be too much for the compiler where the first is not,
		// and messages are about what the author wrote.
		chunk, _ = source.Parse(src.Path, src.Text)
		list = p.compile(chunk, false)
	}
	diags = append(diags, list...)
	diags.Sort()
	if diags.HasErrors() {
		return nil, diags
	}
	return p, diags
}

// compile compiles a chunk, whose handlers it may give second forms.
func (p *program) compile(chunk *source.Chunk, rewrite bool) diag.List {
	p.functions, p.handlers = normalise.Functions{}, map[*ast.FunctionExpr]*access.Handler{}
	p.access = access.Result{}
	if rewrite {
		handlers := analyse.Handlers(chunk, p.rt.cfg.Catalogue, p.rt.globals)
		var second []access.Rewritten
		p.access, second = access.Rewrite(chunk.Stmts, handlers, p.names, p.rt.cfg.Catalogue)
		for _, h := range second {
			p.handlers[h.Func] = h.Handler
		}
	}
	vm.BoundConcat(chunk.Stmts)
	proto, list := normalise.Compile(chunk, p.functions)
	p.proto = proto
	p.free = map[*ast.FunctionExpr]bool{}
	if rewrite {
		p.free = freeOf(p.functions, p.names, p.rt.native)
	}
	return list
}

// native reports whether a global is a native function that calls nothing back,
// or a table of such.
func (rt *Runtime) native(name string) bool {
	switch name {
	case "type", "tostring", "tonumber", "math", "raise", "print":
		return true
	}
	for _, fn := range rt.functions {
		if head, _, _ := strings.Cut(fn.Info.Name, "."); head == name {
			return true
		}
	}
	for _, v := range rt.verdicts {
		if v.Family == name {
			return true
		}
	}
	return false
}
