package lua

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sort"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/record"
	"github.com/hookd/hookd/engine/store"
	"github.com/hookd/hookd/runtime/lua/bind"
	"github.com/hookd/hookd/runtime/lua/vm"
)

// mode says what the script may do at the moment.
type mode uint8

const (
	idle      mode = iota
	loading        // declare, read, no effects
	handling       // effects, no declarations
	filtering      // neither
)

// instance is one script in one machine. It implements [engine.Instance] for the
// engine and [bind.Host] for the generated glue.
type instance struct {
	prog *program
	env  *engine.Env
	vm   *vm.VM
	mode mode

	decl   *declarer // while loading
	funcs  []function
	held   map[*glua.LFunction]engine.FuncID // those that handlers bound
	vacant []engine.FuncID                   // numbers of those let go of
	// machine is that of vm, while it lives.
	machine *machine
	labels  map[string]engine.FuncID
	stores  map[string]*store.Store // declared ones, for a rebuild
	broken  error                   // why a rebuild failed
	// rebuilt: the top level ran again, so what native forms took from it may not
	// hold any more.
	rebuilt bool
	// foreign: modules may make values with metatables, so that what looks bounded in
	// the script's text need not be.
	foreign bool

	call    *engine.Call    // being handled
	at      *glua.LState    // where Caller was asked last
	decided engine.Decision // by the handler that returned last
	// running is the coroutine that runs, nil in calls that cannot wait; waits are
	// all that are not finished.
	running *coroutine
	waits   []*coroutine
	caller  event.Caller // outside of a call
	said    remark
	args    []glua.LValue

	metas    []*glua.LTable               // of objects, by type
	methods  []map[string]*glua.LFunction // likewise
	slot     any                          // key of what this script hangs on kept objects
	passing  bool                         // it hangs nothing there
	epoch    uint64                       // of lent objects: changes with each call
	lent     []lentObject
	verdicts map[*event.Family][]*glua.LUserData // constants, by kind
	points   map[string]*glua.LUserData
	numbers  *rand.PCG   // of the running call, once it asked for some
	payload  glua.LValue // of the running call, once it was asked for
	// pairs are the two forms of handlers, while loading.
	pairs map[*glua.LFunction]*glua.LFunction
	// incr and same are of records: incr(key, n) and __eq.
	incr, same *glua.LFunction
	// values makes those that are read.
	values   bind.Values
	required modules
	files    map[string]*record.Root // data that was read, for a rebuild

	meta metatables

	// locals are those of the top level, desk where a console is in the machine
	// that is its own.
	locals map[string]*glua.Upvalue
	desk   *Desk
}

var (
	_ engine.Instance = (*instance)(nil)
	_ bind.Host       = (*instance)(nil)
)

// newInstance returns a script's machine with its API in place and nothing run.
func newInstance(p *program, env *engine.Env) *instance {
	in := &instance{
		prog: p, env: env,
		labels: map[string]engine.FuncID{}, stores: map[string]*store.Store{},
		caller: event.Caller{Shard: env.Shard, Script: p.path, Gen: env.Gen},
		slot:   slotKey(p.path),
	}
	in.open()
	return in
}

// open makes the machine and installs what scripts see.
func (in *instance) open() {
	seed := fnv.New64a()
	seed.Write([]byte(in.prog.path))
	in.vm = vm.New(vm.Config{
		Chunk:   in.prog.path,
		Limits:  in.prog.rt.cfg.VM,
		Seed:    seed.Sum64(),
		Random:  in.random,
		Print:   in.print,
		Explain: in.explain,
		Unknown: in.absent,
	})
	in.machine, in.held = &machine{in: in}, map[*glua.LFunction]engine.FuncID{}
	in.points, in.lent = map[string]*glua.LUserData{}, nil
	in.incr = in.vm.State().NewFunction(in.recordIncr)
	in.same = in.vm.State().NewFunction(recordsSame)
	in.required = modules{}
	in.openMetatables()
	in.openObjects()
	in.verdicts = nil // those of a machine before
	in.openFunctions()
	in.openThis()
	in.openWords()
	in.openState()
	in.openAccess()
	in.openLocals()
}

// random returns where the running call's random numbers come from; nil while the
// script loads: then they are the machine's.
func (in *instance) random() *rand.PCG {
	if in.numbers == nil && in.mode != loading && in.call != nil && in.env.Services != nil {
		in.numbers = in.env.Services.Random(in.call, in.prog.path)
	}
	return in.numbers
}

// Close implements [engine.Instance]. What waits is canceled. Objects that outlive the machine keep the
// userdata that stood for them, and the engine what was bound to idle ones, so
// what those refer to is let go of.
func (in *instance) Close() {
	if in.machine.closed && in.broken == errClosed {
		return
	}
	in.CancelWaits(errClosed)
	m := &in.meta
	for _, mt := range append(in.metas, m.point, m.verdict, m.test, m.record, m.store, m.handle) {
		if mt != nil {
			*mt = glua.LTable{Metatable: glua.LNil}
		}
	}
	in.vm.Close()
	*in.machine = machine{closed: true}
	in.held, in.vacant = nil, nil
	in.funcs, in.lent, in.args, in.points, in.locals = nil, nil, nil, nil, nil
	in.broken = errClosed
	in.metas, in.methods, in.verdicts, in.pairs, in.required, in.files = nil, nil, nil, nil, modules{}, nil
	in.labels, in.stores, in.meta, in.incr, in.same, in.at = nil, nil, metatables{}, nil, nil, nil
	in.payload, in.values, in.desk = nil, bind.Values{}, nil
	in.prog = &program{rt: in.prog.rt, file: file{path: in.prog.path}}
	in.env = &engine.Env{Shard: in.env.Shard, Path: in.env.Path, Gen: in.env.Gen, Services: in.env.Services}
}

var errClosed = errors.New("its generation is gone")

// keep numbers a function that a declaration holds. A label has the same number
// again when the top level is run once more.
func (in *instance) keep(label string, fn *glua.LFunction) engine.FuncID {
	f := function{fn: fn, traits: in.traitsOf(in.prog.functions[fn.Proto]), second: in.second(fn)}
	if id, ok := in.labels[label]; ok {
		in.funcs[id-1] = f
		return id
	}
	in.funcs = append(in.funcs, f)
	id := engine.FuncID(len(in.funcs))
	in.labels[label] = id
	return id
}

// Filter implements [engine.Instance].
func (in *instance) Filter(fn engine.FuncID, call *engine.Call) (bool, error) {
	if !in.ready(fn) {
		return false, in.unable(fn)
	}
	in.enter(call, filtering)
	if err := in.finish(in.vm.Call(in.push(&in.funcs[fn-1], call, "filter"), 1)); err != nil {
		return false, err
	}
	ok := glua.LVAsBool(in.vm.Result(1))
	in.vm.End()
	return ok, nil
}

// Run implements [engine.Instance].
func (in *instance) Run(fn engine.FuncID, call *engine.Call) (*engine.Decision, error) {
	if !in.ready(fn) {
		return nil, in.unable(fn)
	}
	what := "handler"
	if call.Info == nil {
		what = "timer"
	}
	in.enter(call, handling)
	f := &in.funcs[fn-1]
	n := in.push(f, call, what)
	if f.silent {
		err := in.vm.Call(n, 0)
		if in.leave(); err == nil {
			return nil, nil
		}
		return nil, in.failed(err)
	}
	if err := in.finish(in.vm.Call(n, 1)); err != nil {
		return nil, err
	}
	result := in.vm.Result(1)
	in.vm.End()
	if result == glua.LNil {
		return nil, nil
	}
	var err error
	in.decided, err = in.decision(result, fn, call)
	return &in.decided, err
}

// ready reports whether a function can be called now.
func (in *instance) ready(fn engine.FuncID) bool {
	return in.mode == idle && in.broken == nil && fn > 0 && int(fn) <= len(in.funcs) && in.funcs[fn-1].fn != nil
}

// enter begins a call.
func (in *instance) enter(call *engine.Call, m mode) {
	in.mode, in.call = m, call
	in.epoch++
}

// finish ends a call that ended with err: what was lent to it is void.
func (in *instance) finish(err error) error {
	if in.leave(); err == nil {
		return nil
	}
	return in.failed(err)
}

// failed ends a call that left nothing.
func (in *instance) failed(err error) error {
	in.vm.End()
	return in.scriptError(err)
}

// push begins a call: the function's second form where that can be called, else
// the first. It returns how many arguments there are.
func (in *instance) push(f *function, call *engine.Call, what string) int {
	budget := in.prog.rt.cfg.Limits.HandlerInstructions
	if f.second != nil {
		for i := range f.second.entries {
			e := &f.second.entries[i]
			if e.info != call.Info {
				continue
			}
			L := in.vm.BeginIf(!f.second.free || in.rebuilt, budget, what)
			L.Push(f.second.fn)
			if e.push(in, L, call.Event) {
				return len(e.args) + e.fields + len(e.sums)
			}
			in.vm.End()
			break
		}
	}
	L := in.vm.BeginIf(!f.free || in.rebuilt, budget, what)
	L.Push(f.fn)
	in.args = in.args[:0]
	if et := in.prog.rt.events[call.Info]; et != nil {
		in.args = et.Args(in, L, call.Event, in.args)
	} else if t := in.prog.rt.objectType(call.Type); t != nil {
		in.args = append(in.args, in.Object(t.ID, call.Object))
	}
	for _, a := range in.args {
		L.Push(a)
	}
	return len(in.args)
}

// leave ends a call: what was lent to it is void.
func (in *instance) leave() {
	in.mode, in.call, in.numbers = idle, nil, nil
	if in.payload != nil {
		in.payload = nil
	}
	in.epoch++
	if len(in.lent) > 0 {
		clear(in.lent)
		in.lent = in.lent[:0]
	}
	if len(in.args) > 0 {
		clear(in.args)
		in.args = in.args[:0]
	}
}

// unable says why a function cannot be called at all.
func (in *instance) unable(fn engine.FuncID) error {
	e := &engine.ScriptError{Script: in.prog.path}
	switch {
	case in.broken != nil:
		e.Message = in.broken.Error()
	case in.mode != idle:
		e.Message = "the script is running already"
	default:
		e.Message = fmt.Sprintf("function %d is not there any more: the rebuilt script did not declare it", fn)
	}
	return e
}

// rebuild gives the script a new machine and runs its top level again. Numbers
// of functions stay; globals and upvalues are as after load.
func (in *instance) rebuild() {
	in.rebuilt = true
	for i := range in.funcs {
		in.funcs[i] = function{}
	}
	for _, mt := range in.metas {
		if mt != nil {
			*mt = glua.LTable{Metatable: glua.LNil}
		}
	}
	in.vm.Close()
	lost := in.waits
	in.waits = nil
	in.machine.closed = true
	in.open()
	if len(lost) > 0 {
		in.env.Services.Later(func() {
			for _, co := range lost {
				co.Cancel(errRebuilt)
			}
		})
	}
	d := &declarer{in: in, plan: &engine.Plan{}, again: true}
	if !in.load(d) || d.diags.HasErrors() {
		in.broken = fmt.Errorf("the script could not be rebuilt: %w", d.diags)
	}
}

// globalNames lists the globals there are, at most so many: those that every
// script has come first.
func (in *instance) globalNames(most int) []string {
	var names []string
	g := in.vm.Globals()
	for k, _ := g.Next(glua.LNil); k != glua.LNil && len(names) < most; k, _ = g.Next(k) {
		if name, ok := k.(glua.LString); ok && name != "" && name[0] != '(' {
			names = append(names, string(name))
		}
	}
	sort.Strings(names)
	return names
}
