package vm

import (
	"math/rand/v2"
	"slices"
	"time"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine/fiber"
	"github.com/hookd/hookd/runtime/lua/lib/strlib"
)

// Config is what a machine is made of.
type Config struct {
	// Chunk names the script in positions: "office.lua:12:".
	Chunk  string
	Limits Limits
	// Seed starts math.random; the same seed gives the same numbers.
	Seed uint64
	// Random returns what the running call takes its random numbers from; nil, or
	// nothing returned, takes the machine's own.
	Random func() *rand.PCG
	// Print takes the lines that print writes; nil discards them. An error is
	// raised where print was called.
	Print func(L *glua.LState, line string) error
	// Explain makes an error message that gopher-lua wrote name what failed, from
	// the source of the chunk; nil leaves it as it is. line is 0 where unknown.
	Explain func(chunk string, line int, msg string) string
	// Unknown raises an error about a global that is not there, or returns its
	// value; nil makes reading one nil, as in 5.1.
	Unknown func(L *glua.LState, name string) glua.LValue
}

// VM is one machine.
type VM struct {
	cfg  Config
	root *glua.LState // owns the globals; nothing runs on it
	// deep is where calls run whose instructions are counted, unless in a task,
	// flat where others run; nil until there is one.
	deep, flat *glua.LState
	activity
	guards guards
	co     coroutines
	strs   strlib.Limits
	rand   random

	task       *Task // that runs; nil outside of one
	spareTasks []*Task
	fibers     fiber.Pool
	pier       *glua.LState // see dock
	closed     bool

	// gopher-lua's own, and the library's functions in Lua.
	stockCreate, stockResume glua.LGFunction
	loop, goBody             *glua.LFunction
	nextFn, inextFn          *glua.LFunction
	types                    [glua.LTChannel + 1]glua.LValue

	buf    []byte // of the running concatenation
	budget budget

	// chunks are the sources whose code runs here: the script, and what it
	// requires.
	chunks []string
}

// How many values a thread has room for at first, and by how many it grows.
const (
	registryMain   = 256
	registryThread = 128
	registryGrowth = 128
	// registrySmall is what those begin with that may wait, mostly with little on them;
	// a task's own grows by as much.
	registrySmall = 32
	// depthRoot is how deep calls nest on the state that owns the globals, on
	// which nothing runs.
	depthRoot = 8
	// depthFlat is how deep calls nest in what nobody counts: with room for so many
	// at once gopher-lua enters functions faster than with room that grows.
	depthFlat = 32
)

// New returns a machine with its library in place and nothing run.
func New(cfg Config) *VM {
	cfg.Limits = cfg.Limits.withDefaults()
	v := &VM{cfg: cfg, budget: newBudget(), chunks: []string{cfg.Chunk}}
	v.strs = strlib.Limits{MaxString: cfg.Limits.MaxString, Steps: v.budget.spend}
	v.rand.seed(cfg.Seed)
	v.root = glua.NewState(glua.Options{
		CallStackSize:       depthRoot,
		RegistrySize:        registryThread,
		RegistryMaxSize:     cfg.Limits.Stack,
		RegistryGrowStep:    registryGrowth,
		SkipOpenLibs:        true,
		MinimizeStackMemory: true,
	})
	v.root.Options.CallStackSize = cfg.Limits.CallDepth
	// The registry table is made with room for 32 names; it gets one.
	v.root.G.Registry = v.root.CreateTable(0, 0)
	v.newMain(registryThread)
	v.open()
	return v
}

// Settle ends the time in which a script makes what it keeps: the calls from now
// on run on another thread. A closure keeps the thread it was made on, with
// everything that a call left there when it failed, so calls that may fail had
// better not share one with closures that stay.
func (v *VM) Settle() { v.newMain(registryMain) }

// State returns the state that functions and tables are made with and globals
// are set on. Nothing is called on it.
func (v *VM) State() *glua.LState { return v.root }

// Globals returns the table of globals.
func (v *VM) Globals() *glua.LTable { return v.root.G.Global }

// newMain makes the thread for counted calls and lets it be the main one.
func (v *VM) newMain(registry int) {
	v.deep = v.newThread(registry)
	v.deep.Panic = v.fail
	v.turn(true)
}

// turn lets the thread for calls that are counted, or not, be the main one.
func (v *VM) turn(counted bool) {
	v.counted, v.main = counted, v.deep
	if !counted {
		if v.flat == nil {
			v.flat = v.newFlat()
		}
		v.main = v.flat
	}
	v.root.G.MainThread, v.root.G.CurrentThread = v.main, v.main
}

// newFlat makes the thread for calls that nobody counts, which nest a little only.
func (v *VM) newFlat() *glua.LState {
	o := &v.root.Options
	depth := o.CallStackSize
	o.RegistrySize, o.CallStackSize, o.MinimizeStackMemory = registryThread, depthFlat, false
	L, _ := v.root.NewThread()
	o.CallStackSize, o.MinimizeStackMemory = depth, true
	L.Panic = v.fail
	return L
}

// renew replaces the main thread behind a call that failed.
func (v *VM) renew() {
	if v.counted {
		v.newMain(registryMain)
		return
	}
	v.flat = nil
	v.turn(true)
}

// newThread makes a thread that shares the globals and the budget.
func (v *VM) newThread(registry int) *glua.LState {
	v.root.Options.RegistrySize = registry
	L, _ := v.root.NewThread()
	L.SetContext(&v.budget)
	return L
}

// newSmall makes a thread for what may wait.
func (v *VM) newSmall() *glua.LState {
	v.root.Options.RegistryGrowStep = registrySmall
	L := v.newThread(registrySmall)
	v.root.Options.RegistryGrowStep = registryGrowth
	return L
}

// AddChunk names a further source whose code runs here, so that positions in it
// are known for what they are.
func (v *VM) AddChunk(name string) {
	if !slices.Contains(v.chunks, name) {
		v.chunks = append(v.chunks, name)
	}
}

// Close releases the machine. Its values must not be used afterwards, and no task
// may wait.
func (v *VM) Close() {
	v.fibers.Close()
	if !v.root.IsClosed() {
		v.root.Close()
	}
	// Who still refers to the machine, as what stands for idle objects does, keeps none
	// of its functions: each leads to the globals, and they to everything.
	*v = VM{root: &glua.LState{G: &glua.Global{}}, fibers: v.fibers, closed: true}
}

// Begin starts a call of at most budget instructions, which what names in the
// message of an overrun. It returns the thread on which the caller pushes the
// function and its arguments before it asks for [VM.Call]. A function without
// budget of its own may be called by a running one through its thread instead.
func (v *VM) Begin(budget int, what string) *glua.LState { return v.BeginIf(true, budget, what) }

// BeginIf is [VM.Begin] for a call whose instructions need no counting where
// counted is false, because it is known to end: it has no loops and calls no
// function that has, nor calls more than half of depthFlat deep. Library functions
// count what they do either way.
func (v *VM) BeginIf(counted bool, budget int, what string) *glua.LState {
	v.budget.reset(budget, what)
	if counted != v.counted {
		v.turn(counted)
	}
	return v.main
}

// BeginWithin is [VM.Begin] for a call that may also take no longer than d. Time
// depends on the machine, so this is for what is not replayed.
func (v *VM) BeginWithin(budget int, what string, d time.Duration) *glua.LState {
	L := v.Begin(budget, what)
	v.budget.resetWithin(budget, what, d)
	return L
}

// Call runs the function that was pushed below its nargs arguments since
// [VM.Begin] and leaves nret results on the thread; [VM.End] takes them off. The
// error is a [*Failure]; then there are no results, and the machine is ready for
// the next call unless the failure is Broken.
//
// A failed call's thread is thrown away rather than repaired: gopher-lua can
// panic while it unwinds, and what it cuts off of a thread's values, closures
// that live on may still refer to.
func (v *VM) Call(nargs, nret int) (err error) {
	done := false
	defer func() {
		if !done {
			err = v.recovered(recover())
			v.renew()
		}
	}()
	L := v.main
	L.Call(nargs, nret)
	// What nobody counts calls nothing that could yield.
	done = !v.counted || L.GetTop() == nret && v.root.G.CurrentThread == L
	return nil
}

// call is Call of a task, which leaves all results.
func (v *VM) call(nargs int) (err error) {
	done := false
	defer func() {
		if !done {
			err = v.recovered(recover())
		}
	}()
	v.leaving, v.entered = false, 0
	v.main.Call(nargs, glua.MultRet)
	done = v.ranOut()
	return nil
}

// Result returns result i of the call, from 1.
func (v *VM) Result(i int) glua.LValue { return v.main.Get(i) }

// End takes the results of the call off its thread.
func (v *VM) End() { v.main.SetTop(0) }

// Coroutines returns how many coroutines are not finished, as far as is known,
// tasks among them.
func (v *VM) Coroutines() int { return len(v.co.live) + v.co.tasks }

// Spend counts n nanoseconds' worth of work done for the script against the
// running call's budget; the error's text is meant to be raised.
func (v *VM) Spend(n int) error { return v.budget.spend(n) }

// Strings returns the limits that the string library obeys, for further
// functions that make strings.
func (v *VM) Strings() *strlib.Limits { return &v.strs }
