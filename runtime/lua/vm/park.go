package vm

import (
	"slices"

	glua "github.com/yuin/gopher-lua"
)

// parkedCall is a call of a Go function that a thread of a task waits in, while the
// task has no goroutine. The function has returned: what its caller gets is made when
// the task goes on. Of a task's calls the last is the one that waits; around it are
// those that wait for a thread inside theirs.
type parkedCall struct {
	th *glua.LState // that the function was called on
	// inside is the thread that the call waits for.
	inside *glua.LState
	// handler is what xpcall calls with an error.
	handler glua.LValue
	// want is how many results its caller takes, [glua.MultRet] for all there are.
	want int32
	kind callKind
}

// callKind says what became of the thread inside becomes of a parked call.
type callKind uint8

const (
	waitCall callKind = iota // waits itself
	pcallCall
	xpcallCall
	handlerCall // xpcall's of its handler
	resumeCall
	wrapCall
	// guardCall is none: a guard is to run what is next. It never waits.
	guardCall
)

// Wait is called by a Go function that Lua called, as the last that it does: what it
// returns is what that is to return. The running task is left until [Task.Resume], whose
// values are the function's results. It raises the cause that was passed to
// [Task.Cancel], and an error where no task runs.
func (v *VM) Wait(L *glua.LState) int {
	t := v.task
	if t == nil {
		L.RaiseError("a call that is no task cannot wait")
	}
	if t.canceled == nil {
		if want, ok := v.parkable(L); ok {
			return v.park(L, parkedCall{want: want})
		}
		t.fiber.Leave()
	}
	if t.canceled != nil {
		L.RaiseError("%s", t.canceled.Error())
	}
	values := t.values
	t.values = nil
	for _, x := range values {
		L.Push(x)
	}
	return len(values)
}

// parkable reports whether nothing but threads of the task is on the goroutine's stack
// below the Go function that runs on L, and how many results that is to have.
func (v *VM) parkable(L *glua.LState) (want int32, ok bool) {
	th := L
	for inside := v.depth - v.entered; inside > 0 && th != nil; inside-- {
		if !onlyLua(th) {
			return 0, false
		}
		th = th.Parent
	}
	// It is the thread that was entered, unless gopher-lua runs one that nobody resumed.
	if v.entered == 0 && th != v.main || v.entered > 0 && (th == nil || th.Parent != v.parked[v.entered-1].th) || !onlyLua(th) {
		return 0, false
	}
	return wanted(L), true
}

// park has the thread L, on which a Go function runs that returns what park returns,
// be left, and with it those around it.
func (v *VM) park(L *glua.LState, c parkedCall) int {
	c.th = L
	v.parked = append(v.parked, c)
	v.leaving = true
	if L == v.main {
		L.Parent = v.dock()
	}
	L.SetTop(0)
	return -1
}

// parkAround parks the call of a Go function that runs on L and resumed a thread which
// was parked.
func (v *VM) parkAround(L *glua.LState, c parkedCall) int {
	c.want = wanted(L)
	return v.park(L, c)
}

// settle puts the calls in order that were parked since the thread was entered, the
// innermost of them first. That a thread has a parent says that it is nobody's to
// resume.
func (v *VM) settle() {
	slices.Reverse(v.parked[v.entered:])
	for i := max(1, v.entered); i < len(v.parked); i++ {
		v.parked[i].th.Parent = v.parked[i-1].th
	}
	v.dock().SetTop(0)
}

// unpark takes the innermost of the parked calls, whose thread is to go on.
func (v *VM) unpark() parkedCall {
	last := len(v.parked) - 1
	c := v.parked[last]
	v.parked[last] = parkedCall{}
	v.parked = v.parked[:last]
	v.entered = last
	return c
}

// isParked reports whether a call of the running task is parked on L.
func (v *VM) isParked(L *glua.LState) bool {
	return slices.ContainsFunc(v.parked, func(c parkedCall) bool { return c.th == L })
}

// dock returns the thread that a task's own is resumed from, and left to.
func (v *VM) dock() *glua.LState {
	if v.pier == nil {
		o := &v.root.Options
		depth := o.CallStackSize
		o.CallStackSize = depthRoot
		v.pier = v.newSmall()
		o.CallStackSize = depth
	}
	return v.pier
}
