package lua

import (
	"math"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/engine/event/hookdev"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/engine/event/sockev"
	"github.com/hookd/hookd/runtime/lua/access"
	"github.com/hookd/hookd/runtime/lua/analyse"
	"github.com/hookd/hookd/runtime/lua/bind"
	"github.com/hookd/hookd/runtime/lua/counted"
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
	// Flow are the bodies of the flow family's functions; nil leaves them out.
	Flow flowev.Functions
	// Loop are those of the loop family.
	Loop loopev.Functions
	// SIP are those of the sip family.
	SIP sipev.Functions
	// Sock are those of the sock family.
	Sock sockev.Functions
	// Trial, if not 0, makes the scripts run without any effect on what the stacks
	// have. It tells this trial from others of the process. Undone is told each
	// effect that is not done, by its name, in the shard.
	Trial  uint64
	Undone func(shard *event.Shard, what string)
	// Limits are the engine's, with their defaults filled in.
	Limits engine.Limits
	// VM bounds each script's machine; the zero value means what Limits say.
	VM vm.Limits
	// Settings checks what settings files say of a family's stack: one setting
	// and its value, which is a bool, a float64, a string or a list of strings.
	Settings map[string]func(name string, value any) error
	// SettingsOutside are those of them that may stand outside of their family's
	// table as well, since they are about more than a stack: the family by the name.
	SettingsOutside map[string]string
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
	tables    []string // those that are made when they are first read, sorted
	// waiting are the last words of what may wait, listed when they are first asked for.
	waiting   map[string]bool
	waitsOnce sync.Once
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
	functions := bind.HookdFunctions(cfg.Functions)
	if cfg.Flow != nil {
		functions = append(functions, bind.FlowFunctions(cfg.Flow)...)
	}
	if cfg.Loop != nil {
		functions = append(functions, bind.LoopFunctions(cfg.Loop)...)
	}
	if cfg.SIP != nil {
		functions = append(functions, bind.SIPFunctions(cfg.SIP)...)
	}
	if cfg.Sock != nil {
		functions = append(functions, bind.SockFunctions(cfg.Sock)...)
	}
	for _, fn := range functions {
		if cfg.Catalogue.Function(fn.Info.Name) != nil {
			rt.functions = append(rt.functions, fn)
		}
	}
	if rt.cfg.VM == (vm.Limits{}) {
		rt.cfg.VM = machineLimits(cfg.Limits)
	}
	rt.tables = rt.listTables()
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
	in := newInstance(&program{rt: rt, file: file{path: "globals"}}, &engine.Env{Shard: event.NewShard(0)})
	defer in.Close()
	names := append(in.globalNames(math.MaxInt), rt.tables...)
	sort.Strings(names)
	return names
}

// Compile implements [engine.Runtime].
func (rt *Runtime) Compile(src engine.Source) (engine.Program, diag.List) {
	p, diags := rt.compileScript(src.Path, src.Text, false)
	if p == nil {
		return nil, diags
	}
	return p, diags
}

// compileScript returns the program, nil with errors. A plain one takes nothing for
// granted of the globals.
func (rt *Runtime) compileScript(path string, text []byte, plain bool) (*program, diag.List) {
	p := &program{rt: rt, file: file{path: path, text: text}}
	captured := false
	look := func(chunk *source.Chunk) {
		p.outline, p.survey = outlineOf(chunk), access.Survey(chunk.Stmts)
		p.survey.Globals = p.survey.Globals || plain
		handlers, reads := analyse.Look(chunk, rt.cfg.Catalogue, rt.globals)
		p.reads = reads
		if !rt.cfg.Interpret {
			p.rewrite(chunk, handlers)
		}
		captured = capture(chunk)
	}
	diags := rt.compile(&p.file, look)
	if p.proto == nil && (p.handlers != nil || captured) {
		// A second form may be too much for the compiler where the first is not,
		// and messages are about what the author wrote.
		p.access, p.handlers = access.Result{}, nil
		diags = rt.compile(&p.file, func(*source.Chunk) {})
	}
	if p.proto == nil {
		return nil, diags
	}
	if !rt.cfg.Interpret {
		p.traits = traitsOf(p.functions, p.survey, rt.native)
	}
	return p, diags
}

// rewrite gives handlers their second forms.
func (p *program) rewrite(chunk *source.Chunk, handlers []analyse.Handler) {
	p.once = map[*ast.FunctionExpr]bool{}
	for _, h := range handlers {
		// A function with a name may be called from anywhere.
		p.once[h.Func] = h.Field != nil && h.Field.Value == ast.Expr(h.Func)
	}
	stmts, result, second := access.Rewrite(chunk.Stmts, handlers, p.survey, p.rt.cfg.Catalogue)
	chunk.Stmts = stmts
	p.access, p.handlers = result, map[*ast.FunctionExpr]*access.Handler{}
	for _, h := range second {
		p.handlers[h.Func] = h.Handler
		p.once[h.Func] = true
	}
}

// compile fills in what the file's text compiles to, if it does; look is called
// with the source as it was written, and may change it.
func (rt *Runtime) compile(f *file, look func(*source.Chunk)) diag.List {
	chunk, diags := source.Parse(f.path, f.text)
	if chunk == nil {
		return diags
	}
	diags = append(diags, rt.cfg.Check(chunk)...)
	f.perShard = analyse.PerShard(chunk, rt.globals)
	look(chunk)
	counted.Chunk(chunk.Stmts, func(fn *ast.FunctionExpr) bool { return f.once[fn] })
	vm.BoundConcat(chunk.Stmts)
	f.functions = normalise.Functions{}
	proto, list := normalise.Compile(chunk, f.functions)
	diags = append(diags, list...)
	diags.Sort()
	if !diags.HasErrors() {
		f.proto = proto
	}
	return diags
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
