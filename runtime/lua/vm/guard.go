package vm

import (
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// guards are the threads of protected calls. A thread whose call succeeded runs
// the next one.
type guards struct {
	spare []*glua.LState
	// next is what the guard that is being resumed calls, with its arguments.
	next []glua.LValue
}

// maxSpareGuards is how many threads wait for the next protected call.
const maxSpareGuards = 4

// openGuards makes the functions that run protected calls.
func (v *VM) openGuards() {
	take := v.root.NewFunction(func(L *glua.LState) int {
		for _, a := range v.guards.next {
			L.Push(a)
		}
		n := len(v.guards.next)
		clear(v.guards.next)
		v.guards.next = v.guards.next[:0]
		return n
	})
	yield := v.root.NewFunction(func(*glua.LState) int { return -1 })
	v.loop = v.prelude(guardLoop, take, yield)
}

// enter counts one more thread that runs inside the others; leave takes it back.
func (v *VM) enter(L *glua.LState, what string) {
	if v.depth >= v.cfg.Limits.Nesting {
		L.RaiseError("%s: coroutines and protected calls nest at most %d deep", what, v.cfg.Limits.Nesting)
	}
	v.depth++
}

// protect runs the function and arguments that make up the frame of L and
// leaves true and its results there, or false and the error. It returns how
// many values it left, -1 where the thread is left as c because something waits.
func (v *VM) protect(L *glua.LState, what string, c parkedCall) int {
	if fn := L.Get(1); !callable(L, fn) {
		L.SetTop(0)
		L.Push(glua.LFalse)
		L.Push(glua.LString("attempt to call a " + fn.Type().String() + " value"))
		return 2
	}
	v.enter(L, what)
	active := len(v.guarded)
	defer func() {
		if !v.leaving {
			v.depth, v.guarded = v.depth-1, v.guarded[:active]
		}
	}()
	for i := 1; i <= L.GetTop(); i++ {
		v.guards.next = append(v.guards.next, L.Get(i))
	}
	c.inside = v.guard()
	v.guarded = append(v.guarded, c.inside)
	L.SetTop(0)
	L.Push(c.inside)
	n := v.stockResume(L)
	switch {
	case v.leaving:
		return v.parkAround(L, c)
	case L.Get(-n) == glua.LTrue:
		v.spareGuard(c.inside)
	default:
		L.Replace(-1, v.rephrased(L.Get(-1)))
	}
	return n
}

// callable reports whether a value is a function or has one for __call.
func callable(L *glua.LState, value glua.LValue) bool {
	return value.Type() == glua.LTFunction || own(value) && L.GetMetaField(value, "__call").Type() == glua.LTFunction
}

// guard returns a thread that waits to run what next holds.
func (v *VM) guard() *glua.LState {
	g := &v.guards
	if n := len(g.spare); n > 0 {
		th := g.spare[n-1]
		g.spare = g.spare[:n-1]
		return th
	}
	v.made()
	return v.newCoroutine(v.loop)
}

// spareGuard keeps the thread of a protected call that succeeded for the next one.
func (v *VM) spareGuard(th *glua.LState) {
	if g := &v.guards; len(g.spare) < maxSpareGuards {
		g.spare = append(g.spare, th)
	}
}

// caught words the text of an error that a script catches as it would read had
// nothing caught it, with its position.
func (v *VM) caught(text string) string {
	text = strings.TrimPrefix(text, preludePosition)
	chunk, line, rest := v.position(text)
	if said := v.explain(chunk, line, rest); said != rest {
		return text[:len(text)-len(rest)] + said
	}
	return text
}

// stepsPerError is what catching an error counts for.
const stepsPerError = 3200

// stepsPerOverflow is what the stack of a thread counts for that grew as far as
// it may.
const stepsPerOverflow = 150_000

// rephrased puts an error that a script catches into words, if it is a text.
func (v *VM) rephrased(value glua.LValue) glua.LValue {
	text, ok := value.(glua.LString)
	if !ok {
		return value
	}
	// An error is dear to make, and its text may be long. That it was too much
	// shows at the next instruction.
	_ = v.Spend(stepsPerError + len(text))
	if strings.HasSuffix(string(text), "stack overflow") || strings.HasSuffix(string(text), "callstack overflow") || strings.HasSuffix(string(text), "registry overflow") {
		_ = v.Spend(stepsPerOverflow)
	}
	if v.yielded != nil && strings.HasPrefix(string(text), "runtime error: ") {
		text, v.yielded = lostYield, nil
	}
	if said := v.caught(string(text)); said != string(text) {
		return glua.LString(said)
	}
	return text
}

// pcall is Lua's. What it calls runs in a thread of its own, because
// gopher-lua, when it raises, closes the upvalues of all functions that run on
// the thread, those that survive included.
func (v *VM) pcall(L *glua.LState) int {
	if L.GetTop() == 0 {
		argError(L, 1, "pcall", "value expected")
	}
	return v.protect(L, "pcall", parkedCall{kind: pcallCall})
}

// errorInHandling is what xpcall makes of an error of its handler.
const errorInHandling = "error in error handling"

// xpcall is Lua's. The handler is called when the calls that failed are gone,
// which it could tell by the debug library only.
func (v *VM) xpcall(L *glua.LState) int {
	if L.GetTop() < 2 {
		argError(L, 2, "xpcall", "value expected")
	}
	handler := L.Get(2)
	L.SetTop(1)
	n := v.protect(L, "xpcall", parkedCall{kind: xpcallCall, handler: handler})
	if n < 0 || L.Get(-n) == glua.LTrue {
		return n
	}
	value := L.Get(-1)
	L.SetTop(0)
	L.Push(handler)
	L.Push(value)
	if handler.Type() == glua.LTFunction {
		if n = v.protect(L, "xpcall", parkedCall{kind: handlerCall}); n < 0 {
			return n
		}
		L.SetTop(L.GetTop() - n + 2)
	} else {
		L.Replace(1, glua.LFalse)
	}
	if L.Get(-2) == glua.LFalse {
		L.Replace(-1, glua.LString(errorInHandling))
	}
	L.Replace(-2, glua.LFalse)
	return 2
}
