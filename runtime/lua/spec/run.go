package spec

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/watch"
	"github.com/hookd/hookd/runtime/lua/counted"
	"github.com/hookd/hookd/runtime/lua/lib"
	"github.com/hookd/hookd/runtime/lua/normalise"
	"github.com/hookd/hookd/runtime/lua/source"
	"github.com/hookd/hookd/runtime/lua/vm"
)

// Budget is how many instructions the top level of a spec, and each `it`, may
// take.
const Budget = 50_000_000

// MaxPrinted is how many lines of print an `it` keeps; the rest is dropped.
const MaxPrinted = 1000

// Result is the outcome of one `it`.
type Result struct {
	File string
	// Name is that of the `it` behind those of the `describe`s around it.
	Name string
	Line int
	// Failure is nil where it passed.
	Failure *diag.Diagnostic
	// Printed is what the `it` wrote with print, at most MaxPrinted lines.
	Printed []string
	// Notes add to a failure: a traceback, the errors of scripts.
	Notes []string
}

// Runner runs spec files.
type Runner struct {
	host Host
	// scan reads the scripts below paths.
	scan func(paths ...string) ([]engine.Source, error)

	vm      *vm.VM
	path    string
	text    []byte
	scope   []scope // the describes around what is being declared
	cases   []testCase
	world   *world // of the running `it`
	printed []string
	calling *glua.LState // who called the word that runs
	checked bool         // the running `it` looked at the script errors
	open    bool         // declarations are taken
}

// scope is a describe: its name, and the scripts that run in it.
type scope struct {
	name    string
	scripts []string
}

// testCase is an `it` that waits to run.
type testCase struct {
	name    string
	line    int
	fn      *glua.LFunction
	scripts []string
}

// New returns a runner of specs in the worlds that host makes.
func New(host Host) *Runner { return &Runner{host: host, scan: watch.Scan} }

// File runs one spec file. The diagnostics say why it could not be run at all;
// what an `it` found is in its Result.
func (r *Runner) File(path string) ([]Result, diag.List) {
	if diags := r.load(path); diags.HasErrors() {
		return nil, diags
	}
	defer r.vm.Close()
	results := make([]Result, 0, len(r.cases))
	for _, c := range r.cases {
		sources, err := r.sources(c.scripts)
		results = append(results, r.run(c, sources, err))
	}
	return results, nil
}

// load runs the top level of a spec file. Without errors its machine is to be
// closed.
func (r *Runner) load(path string) diag.List {
	text, err := os.ReadFile(path)
	if err != nil {
		return diag.List{{File: path, Msg: err.Error()}}
	}
	*r = Runner{host: r.host, scan: r.scan, path: path, text: text, scope: []scope{{}}, open: true}
	chunk, diags := source.Parse(path, text)
	if diags.HasErrors() {
		return diags
	}
	counted.Chunk(chunk.Stmts, func(*ast.FunctionExpr) bool { return false })
	vm.BoundConcat(chunk.Stmts)
	proto, diags := normalise.Compile(chunk, nil)
	if diags.HasErrors() {
		return diags
	}
	r.vm = vm.New(vm.Config{Chunk: path, Seed: 1, Print: r.print, Unknown: r.library})
	r.openWords()
	if d, _ := r.call(r.vm.State().NewFunctionFromProto(proto), "the spec"); d != nil {
		r.vm.Close()
		return diag.List{d}
	}
	r.open = false
	return nil
}

// library gives specs the tables of functions that scripts have.
func (r *Runner) library(L *glua.LState, name string) glua.LValue {
	members := lib.Open(L, name, lib.Config{Limits: r.vm.Strings(), Clock: r.now})
	if members == nil {
		return glua.LNil
	}
	t := r.vm.State().CreateTable(0, len(members))
	for _, member := range slices.Sorted(maps.Keys(members)) {
		t.RawSetString(member, members[member])
	}
	r.vm.Globals().RawSetString(name, t)
	return t
}

// now is the time of the running world.
func (r *Runner) now() int64 {
	if r.world == nil {
		return epoch
	}
	return r.world.clock()
}

// call runs a function of the spec; a failure comes as a diagnostic at its line
// with a traceback.
func (r *Runner) call(fn *glua.LFunction, what string) (*diag.Diagnostic, []string) {
	L := r.vm.Begin(Budget, what)
	L.Push(fn)
	err := r.vm.Call(0, 0)
	r.vm.End()
	if err == nil {
		return nil, nil
	}
	var f *vm.Failure
	if !errors.As(err, &f) {
		return r.diagnose(0, err.Error()), nil
	}
	var notes []string
	if len(f.Frames) > 2 {
		notes = append(notes, vm.Traceback(f.Frames))
	}
	return r.diagnose(f.Line, f.Message), notes
}

// diagnose makes a diagnostic at a line of the spec.
func (r *Runner) diagnose(line int, msg string) *diag.Diagnostic {
	d := &diag.Diagnostic{File: r.path, Line: line, Msg: msg}
	if line > 0 {
		_, d.Source = diag.Locate(r.text, line, "")
	}
	return d
}

// run gives an `it` a world of its own with the sources and runs it there. err
// says why there are none.
func (r *Runner) run(c testCase, sources []engine.Source, err error) Result {
	res := Result{File: r.path, Name: c.name, Line: c.line}
	if err != nil {
		res.Failure = r.diagnose(c.line, err.Error())
		return res
	}
	w, diags := newWorld(r.host, sources)
	if w == nil {
		res.Failure = r.diagnose(c.line, "the scripts do not load")
		for _, d := range diags {
			res.Notes = append(res.Notes, d.Error())
		}
		return res
	}
	r.world, r.checked, r.printed = w, false, nil
	res.Failure, res.Notes = r.call(c.fn, "the test")
	// The end is part of the test: what scripts do at it may fail, too.
	w.close()
	res.Printed = r.printed
	if res.Failure == nil {
		res.Failure = r.leftover(c)
	}
	for _, rec := range w.errors {
		if res.Failure != nil {
			res.Notes = append(res.Notes, "script error: "+rec.Err.Error())
		}
	}
	r.world = nil
	return res
}

// print keeps a line that the running `it` prints.
func (r *Runner) print(_ *glua.LState, line string) error {
	if len(r.printed) < MaxPrinted {
		r.printed = append(r.printed, line)
	}
	return nil
}

// leftover fails an `it` whose scripts raised errors that it did not ask for, or
// that made more records than are kept.
func (r *Runner) leftover(c testCase) *diag.Diagnostic {
	w := r.world
	switch {
	case w.lost > 0:
		return r.diagnose(c.line, fmt.Sprintf("%d records beyond the %d that a test keeps", w.lost, MaxRecords))
	case len(w.errors) > 0 && !r.checked:
		return r.diagnose(c.line, "a script raised an error")
	}
	return nil
}

// sources reads the scripts under test: those the spec named, else all beside
// it. They are named relative to the spec's folder.
func (r *Runner) sources(names []string) ([]engine.Source, error) {
	dir := filepath.Dir(r.path)
	paths := []string{dir}
	if names != nil {
		paths = paths[:0]
		for _, n := range names {
			paths = append(paths, filepath.Join(dir, filepath.FromSlash(n)))
		}
	}
	if len(paths) == 0 {
		return nil, nil
	}
	sources, err := r.scan(paths...)
	if err != nil {
		return nil, err
	}
	for i := range sources {
		sources[i].File = sources[i].Path
		if rel, err := filepath.Rel(dir, filepath.FromSlash(sources[i].Path)); err == nil {
			sources[i].Path = filepath.ToSlash(rel)
		}
		if rel, err := filepath.Rel(dir, filepath.FromSlash(sources[i].Base)); err == nil && sources[i].Module != "" {
			sources[i].Base = filepath.ToSlash(rel)
		}
	}
	return sources, nil
}
