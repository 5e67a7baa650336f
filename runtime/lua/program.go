package lua

import (
	"maps"
	"slices"
	"strings"
	"sync"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/runtime/lua/access"
	"github.com/hookd/hookd/runtime/lua/lib/strlib"
	"github.com/hookd/hookd/runtime/lua/normalise"
)

// file is a compiled source.
type file struct {
	path  string
	text  []byte
	typed []byte // of a console: the latest input alone, at its lines
	proto *glua.FunctionProto
	// functions are the expressions that the prototypes were compiled from.
	functions normalise.Functions
	// once are the functions that an entry calls at most once: handlers.
	once map[*ast.FunctionExpr]bool

	// survey tells of the names in it, tame that it leaves the globals as they are.
	survey *access.Names
	tame   bool

	reads *engine.Reads
	// perShard is what its functions keep in their machine.
	perShard diag.List

	asked sync.Once
	names *operands // of the source, made when the first error asks
}

// Reads implements [engine.Reader].
func (f *file) Reads() *engine.Reads { return f.reads }

// program is a compiled script.
type program struct {
	file
	rt      *Runtime
	outline *outline
	// access is what the rewritten script needs, handlers the second forms of
	// handlers, traits what is known of functions.
	access   access.Result
	handlers map[*ast.FunctionExpr]*access.Handler
	traits   map[*ast.FunctionExpr]traits

	plainly sync.Once
	plain   *program // see [program.among]
}

// Stage implements [engine.Program].
func (p *program) Stage(env *engine.Env) (engine.Instance, *engine.Plan, diag.List) {
	p = p.among(env.Modules)
	in := newInstance(p, env)
	in.foreign = !eachRequired(env.Modules, p.path, p.survey, func(f *file) bool { return !f.survey.Metatables })
	d := &declarer{in: in, plan: &engine.Plan{}}
	if in.load(d) {
		d.finish()
		d.migrate()
	}
	d.plan.PerShard, d.plan.Seed = in.perShard(), in.vm.Seed()
	d.diags.Sort()
	return in, d.plan, d.diags
}

// among returns the program to run with modules: one that takes nothing for granted
// of the globals if a module that the script requires may change them.
func (p *program) among(modules *engine.Modules) *program {
	if p.survey.Globals || eachRequired(modules, p.path, p.survey, func(f *file) bool { return f.tame }) {
		return p
	}
	p.plainly.Do(func() { p.plain, _ = p.rt.compileScript(p.path, p.text, true) })
	if p.plain == nil {
		return p // the compiler cannot refuse what it took before
	}
	return p.plain
}

// eachRequired reports whether something is true of all modules that a file
// requires, and of those that they require.
func eachRequired(modules *engine.Modules, from string, names *access.Names, is func(*file) bool) bool {
	seen := map[*engine.Module]bool{}
	var all func(from string, names *access.Names) bool
	all = func(from string, names *access.Names) bool {
		for _, name := range names.Requires {
			mod := modules.Find(from, strings.ReplaceAll(name, "/", "."))
			if mod == nil || seen[mod] {
				continue // to require what is not there fails
			}
			seen[mod] = true
			if f, ok := mod.Compiled().(*file); !ok || !is(f) || !all(f.path, f.survey) {
				return false
			}
		}
		return true
	}
	return all(from, names)
}

// perShard lists what the script and the modules that it required keep in their
// machine.
func (in *instance) perShard() diag.List {
	list := slices.Clone(in.prog.file.perShard)
	for _, path := range slices.Sorted(maps.Keys(in.required.files)) {
		list = append(list, in.required.files[path].perShard...)
	}
	return list
}

// load runs the top level with d taking the declarations and reports whether it
// came to its end.
func (in *instance) load(d *declarer) bool {
	in.decl, in.mode = d, loading
	limits := &in.prog.rt.cfg.Limits
	L := in.vm.BeginWithin(limits.LoadInstructions, "the top level", limits.LoadTime)
	L.Push(L.NewFunctionFromProto(in.prog.proto))
	err := in.vm.Call(0, 0)
	in.vm.End()
	in.vm.Settle()
	in.decl, in.mode, in.pairs = nil, idle, nil
	if in.env.Serials != nil {
		strlib.ShareSerials(in.vm.State(), in.env.Serials)
	}
	if err != nil {
		d.diags = append(d.diags, in.diagnostic(err))
		return false
	}
	return true
}
