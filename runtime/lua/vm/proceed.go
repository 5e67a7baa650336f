package vm

import (
	"weak"

	glua "github.com/yuin/gopher-lua"
)

// proceed goes on with the parked calls of the running task, of which the last
// returns the values: each thread runs until it ends, whereby the call around it has
// its results, or until one waits again.
func (v *VM) proceed(values []glua.LValue) (err error) {
	done := false
	defer func() {
		if !done {
			err = v.recovered(recover())
		}
	}()
	v.leaving = false
	var fails glua.LValue // is raised instead of returning
	for {
		c := v.unpark()
		if c.th == v.main {
			v.outermost(c, values, fails)
			break
		}
		came := v.within(c, v.parked[v.entered-1].th, values, fails)
		if v.leaving || len(came) == 0 {
			break
		}
		values, fails = v.comeTo(came)
	}
	done = v.ranOut()
	return nil
}

// ranOut reports whether the task's own thread came to its end, or left it as one
// that is parked does.
func (v *VM) ranOut() bool {
	if v.leaving {
		v.settle()
		return true
	}
	return over(v.main) && v.root.G.CurrentThread == v.main
}

// outermost lets the task's own thread go on, as [Task.Start] does: what fails in it
// panics, and its results stay on it.
func (v *VM) outermost(c parkedCall, values []glua.LValue, fails glua.LValue) {
	L, g := c.th, v.root.G
	switch {
	case fails != nil:
		g.CurrentThread = L
		L.Error(fails, 0)
	case over(L):
		g.CurrentThread = L
		give(L, values, glua.MultRet)
	default:
		give(L, values, c.want)
		v.resume(L, nil)
	}
}

// within lets a thread inside another go on and returns what it came to: true and
// what it returned or yielded, or false and an error.
func (v *VM) within(c parkedCall, outer *glua.LState, values []glua.LValue, fails glua.LValue) []glua.LValue {
	th := c.th
	switch {
	case fails != nil:
		th.Dead = true
		return []glua.LValue{glua.LFalse, fails}
	case c.kind == guardCall:
	case over(th):
		th.Dead = true
		return append([]glua.LValue{glua.LTrue}, values...)
	default:
		give(th, values, c.want)
	}
	top := outer.GetTop()
	v.resume(th, outer)
	if v.leaving {
		outer.SetTop(top)
		return nil
	}
	var came []glua.LValue
	for i := top + 1; i <= outer.GetTop(); i++ {
		came = append(came, outer.Get(i))
	}
	outer.SetTop(top)
	return came
}

// give makes values the results of the call that a thread waits in.
func give(th *glua.LState, values []glua.LValue, want int32) {
	if want >= 0 && len(values) > int(want) {
		values = values[:want]
	}
	for _, x := range values {
		th.Push(x)
	}
	for i := len(values); i < int(want); i++ {
		th.Push(glua.LNil)
	}
}

// resume runs a thread inside outer, or inside none: then nothing catches what fails.
func (v *VM) resume(th, outer *glua.LState) {
	v.budget.enter(th, outer)
	dock := v.dock()
	v.root.G.CurrentThread = dock
	dock.SetTop(0)
	dock.Push(th)
	v.stockResume(dock)
	dock.SetTop(0)
}

// comeTo ends the innermost parked call, whose thread inside came to something: it
// returns the call's results, or what it raises. Where xpcall goes on with its
// handler there is one more parked call after it.
func (v *VM) comeTo(came []glua.LValue) (values []glua.LValue, fails glua.LValue) {
	c := &v.parked[len(v.parked)-1]
	ok := came[0] == glua.LTrue
	v.ended(c, ok)
	if !ok {
		came[1] = v.rephrased(came[1])
	}
	switch {
	case c.kind == wrapCall && ok:
		return came[1:], nil
	case c.kind == wrapCall:
		return nil, came[1]
	case c.kind == handlerCall:
		return handled(came), nil
	case c.kind != xpcallCall || ok:
		return came, nil
	case c.handler.Type() != glua.LTFunction:
		return handled([]glua.LValue{glua.LFalse}), nil
	}
	v.depth++
	c.kind = handlerCall
	v.guards.next = append(v.guards.next, c.handler, came[1])
	c.inside = v.guard()
	v.guarded = append(v.guarded, c.inside)
	v.parked = append(v.parked, parkedCall{th: c.inside, kind: guardCall})
	return nil, nil
}

// ended takes back what was noted of the thread inside a call.
func (v *VM) ended(c *parkedCall, ok bool) {
	v.depth--
	if c.kind != resumeCall && c.kind != wrapCall {
		v.guarded = v.guarded[:len(v.guarded)-1]
		if ok {
			v.spareGuard(c.inside)
		}
		return
	}
	v.yielded = nil
	if c.inside.Dead {
		delete(v.co.live, weak.Make(c.inside))
	}
}

// handled returns the results of xpcall whose handler came to something.
func handled(came []glua.LValue) []glua.LValue {
	results := []glua.LValue{glua.LFalse, glua.LNil}
	switch {
	case came[0] == glua.LFalse:
		results[1] = glua.LString(errorInHandling)
	case len(came) > 1:
		results[1] = came[1]
	}
	return results
}
