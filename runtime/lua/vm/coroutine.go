package vm

import (
	"runtime"
	"sync"
	"weak"

	glua "github.com/yuin/gopher-lua"
)

// coroutines are those of scripts that are not finished, as far as is known.
type coroutines struct {
	live  map[weak.Pointer[glua.LState]]struct{}
	tasks int // that are not finished, which are coroutines too
	// wait is how many further coroutines are refused before the collector is
	// asked again for those that nothing refers to.
	wait int
}

// collectEvery bounds how often a script can make the collector run.
const collectEvery = 1000

// room reports whether there may be one more of at most limit.
func (c *coroutines) room(limit int) bool {
	limit -= c.tasks
	if len(c.live) < limit || c.sweep() < limit {
		return true
	}
	if c.wait > 0 {
		c.wait--
		return false
	}
	runtime.GC()
	if c.sweep() > limit*9/10 {
		c.wait = collectEvery
	}
	return len(c.live) < limit
}

// sweep forgets the coroutines that nothing refers to any more and returns how
// many there are.
func (c *coroutines) sweep() int {
	for p := range c.live {
		if p.Value() == nil {
			delete(c.live, p)
		}
	}
	return len(c.live)
}

// openCoroutine installs the table coroutine. Starting and resuming threads is
// gopher-lua's, what scripts call is ours: it shares the budget, counts, says
// the truth about states, and never lets an error in a wrapped coroutine leave
// the wrong thread marked as running.
func (v *VM) openCoroutine() {
	v.stockCreate, v.stockResume = stock()
	v.co.live = map[weak.Pointer[glua.LState]]struct{}{}
	v.goBody = v.prelude(goBody)
	mod := v.module(
		function{"create", v.coCreate},
		function{"resume", v.coResume},
		function{"running", v.coRunning},
		function{"status", v.coStatus},
		function{"wrap", v.coWrap},
	)
	mod.RawSetString("yield", v.prelude(yieldStub, v.root.NewFunction(v.coYield)))
	v.Globals().RawSetString("coroutine", mod)
}

// stock returns gopher-lua's own functions, which it hands out in a state only.
// They know no state themselves, so one that is thrown away will do.
var stock = sync.OnceValues(func() (create, resume glua.LGFunction) {
	L := glua.NewState(glua.Options{SkipOpenLibs: true})
	defer L.Close()
	glua.OpenCoroutine(L)
	mod := L.Get(-1).(*glua.LTable)
	body := func(name string) glua.LGFunction { return mod.RawGetString(name).(*glua.LFunction).GFunction }
	return body("create"), body("resume")
})

// newCoroutine returns a suspended thread with the given body, a Lua function.
func (v *VM) newCoroutine(body *glua.LFunction) *glua.LState {
	L := v.root
	L.Options.RegistrySize = registrySmall
	L.Push(body)
	v.stockCreate(L)
	th := L.Get(-1).(*glua.LState)
	L.SetTop(0)
	th.SetContext(&v.budget)
	return th
}

// stepsPerThread is what making a thread counts for.
const stepsPerThread = 3800

// made counts the making of a thread; that it was too much shows at the next
// instruction.
func (v *VM) made() { _ = v.Spend(stepsPerThread) }

// logical returns the coroutine that th works for: a protected call runs in a
// thread that scripts do not know of.
func (v *VM) logical(th *glua.LState) *glua.LState {
	for th != nil && v.isGuard(th) {
		th = th.Parent
	}
	return th
}

func (v *VM) status(th *glua.LState) string {
	current := v.logical(v.root.G.CurrentThread)
	switch {
	case th.Dead:
		return "dead"
	case th == current:
		return "running"
	}
	for p := current; p != nil; p = p.Parent {
		if p == th {
			return "normal"
		}
	}
	if th.Parent != nil {
		// It resumed another, or waits with its task.
		return "normal"
	}
	return "suspended"
}

func (v *VM) coCreate(L *glua.LState) int {
	L.Push(v.create(L, "create"))
	return 1
}

func (v *VM) create(L *glua.LState, fn string) *glua.LState {
	body, ok := L.Get(1).(*glua.LFunction)
	if !ok {
		argError(L, 1, fn, "Lua function expected")
	}
	if !v.co.room(v.cfg.Limits.Coroutines) {
		L.RaiseError("too many coroutines: %d are not finished", v.Coroutines())
	}
	if body.IsG {
		L.Push(v.goBody)
		L.Push(body)
		L.Call(1, 1)
		body = L.Get(-1).(*glua.LFunction)
		L.Pop(1)
	}
	v.made()
	th := v.newCoroutine(body)
	v.co.live[weak.Make(th)] = struct{}{}
	return th
}

// run resumes the coroutine at index 1 of L with the arguments after it and
// leaves what coroutine.resume returns, as many values as it returns; -1 where the
// thread is left as a call of the kind because something waits.
func (v *VM) run(L, th *glua.LState, kind callKind) int {
	if s := v.status(th); s != "suspended" {
		L.Push(glua.LFalse)
		L.Push(glua.LString("cannot resume " + s + " coroutine"))
		return 2
	}
	v.enter(L, "coroutine.resume")
	defer func() {
		if !v.leaving {
			v.depth--
		}
	}()
	n := v.stockResume(L)
	if v.leaving {
		return v.parkAround(L, parkedCall{kind: kind, inside: th})
	}
	v.yielded = nil
	if th.Dead {
		delete(v.co.live, weak.Make(th))
	}
	if L.Get(-n) == glua.LFalse {
		L.Replace(-1, v.rephrased(L.Get(-1)))
	}
	return n
}

func (v *VM) coResume(L *glua.LState) int {
	th, ok := L.Get(1).(*glua.LState)
	if !ok {
		argError(L, 1, "resume", "coroutine expected")
	}
	return v.run(L, th, resumeCall)
}

func (v *VM) coWrap(L *glua.LState) int {
	th := v.create(L, "wrap")
	L.Push(v.root.NewFunction(func(L *glua.LState) int {
		L.Insert(th, 1)
		n := v.run(L, th, wrapCall)
		if n < 0 {
			return n
		}
		if L.Get(-n) == glua.LFalse {
			L.Error(L.Get(-1), 0)
		}
		return n - 1
	}))
	return 1
}

func (v *VM) coYield(L *glua.LState) int {
	switch {
	case L == v.main:
		L.RaiseError("attempt to yield from outside a coroutine")
	case v.isGuard(L):
		L.RaiseError("attempt to yield across a protected call")
	case callsBack(L):
		L.RaiseError("attempt to yield across a library function that called back")
	}
	v.yielded = L
	return -1
}

// callsBack reports whether a native function below the one that runs on L
// called the functions between them: it cannot be left and entered again.
func callsBack(L *glua.LState) bool {
	for level := 1; level < maxLevels; level++ {
		dbg, ok := L.GetStack(level)
		if !ok {
			return false
		}
		if _, err := L.GetInfo("S", dbg, glua.LNil); err == nil && dbg.What == "G" {
			return true
		}
	}
	return false
}

func (v *VM) coRunning(L *glua.LState) int {
	if th := v.logical(L); th != nil && th != v.main {
		L.Push(th)
		return 1
	}
	L.Push(glua.LNil)
	return 1
}

func (v *VM) coStatus(L *glua.LState) int {
	th, ok := L.Get(1).(*glua.LState)
	if !ok {
		argError(L, 1, "status", "coroutine expected")
	}
	L.Push(glua.LString(v.status(th)))
	return 1
}
