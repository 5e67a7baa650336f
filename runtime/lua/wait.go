package lua

import (
	"errors"
	"fmt"
	"slices"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/runtime/lua/vm"
)

// coroutine is a call of a script that may wait: a handler at a hook point where
// that is possible, or what spawn runs.
type coroutine struct {
	in    *instance
	task  *vm.Task
	vm    *vm.VM // that it began in; a rebuilt script has another
	call  *engine.Call
	what  string // "handler"
	nargs int
	wait  *waiting // what it waits for
	ended func(engine.Decision, error)
	fn    engine.FuncID // 0 for what spawn runs
	cause error         // why it was ended
	over  bool
	eval  *Evaluation // what it is one of
}

// waiting is an operation that a coroutine waits for.
type waiting struct {
	event.Waiter
	done    bool
	results []glua.LValue
}

// errRebuilt ends what waits in a machine that has to be made anew.
var errRebuilt = errors.New("ended: the script's machine failed and was made anew")

// Wait implements [bind.Host].
func (in *instance) Wait(L *glua.LState, what string, start func(done func(results ...glua.LValue))) int {
	co := in.running
	if co == nil {
		in.cannotWait(L, what)
		return 0
	}
	w := &waiting{}
	co.call.Waiter = &w.Waiter
	start(func(results ...glua.LValue) { co.done(w, results) })
	co.call.Waiter = nil
	if !w.done {
		co.wait = w
		return co.vm.Wait(L)
	}
	for _, r := range w.results {
		L.Push(r)
	}
	return len(w.results)
}

// cannotWait raises that the running call cannot wait.
func (in *instance) cannotWait(L *glua.LState, what string) {
	r := remark{msg: what + ": waiting is not possible here", hint: "put it in spawn(function() … end)", word: last(what)}
	switch {
	case in.mode == filtering:
		r.msg, r.hint = what+": not in a filter: `when` only decides", "put it in `run`"
	case in.mode == loading:
		r.msg, r.hint = what+": not while loading", "put it in `on = hookd.start`, in spawn(function() … end)"
	case in.call != nil && in.call.Info != nil && in.call.Info.Waits == event.WaitsSuspend:
		r.hint = "name it where it is called, as in c:read(): what is put together at run time is not seen before"
	case in.call != nil && in.call.Info != nil:
		r.msg = fmt.Sprintf("%s: handlers of %s cannot wait", what, in.call.Info.Name)
	case in.call != nil:
		r.msg = what + ": a timer cannot wait"
	}
	in.raise(L, r)
}

// done takes the results of an operation and has the coroutine go on with them
// when no handler runs.
func (co *coroutine) done(w *waiting, results []glua.LValue) {
	if w.Over() {
		return
	}
	w.End()
	w.done, w.results = true, results
	if co.wait == w {
		co.in.env.Services.Later(co.resume)
	}
}

// resume goes on with a coroutine whose operation is done.
func (co *coroutine) resume() {
	w := co.wait
	if co.over || w == nil {
		return // it was canceled meanwhile
	}
	co.wait = nil
	co.enter()
	co.leave(co.task.Resume(co.in.prog.rt.cfg.Limits.HandlerInstructions, co.what, w.results...))
}

// begin runs a coroutine up to where it waits first.
func (co *coroutine) begin() {
	if co.over {
		return
	}
	co.enter()
	co.run()
}

func (co *coroutine) run() {
	co.leave(co.task.Start(co.in.prog.rt.cfg.Limits.HandlerInstructions, co.what, co.nargs))
}

// Cancel implements [engine.Suspended].
func (co *coroutine) Cancel(cause error) {
	if co.over {
		return
	}
	co.cause = cause
	if w := co.wait; w != nil && !w.done {
		w.Cancel()
	}
	co.wait = nil
	co.enter()
	co.task.Cancel(cause)
	co.leave(true)
}

// enter makes the coroutine what the script runs. Objects that were lent to it
// before it waited are void.
func (co *coroutine) enter() {
	in := co.in
	in.mode, in.call, in.payload, in.running = handling, co.call, nil, co
	in.epoch++
	if co.eval != nil {
		in.decl = co.eval.decl
	}
}

// leave ends what enter began.
func (co *coroutine) leave(ended bool) {
	in := co.in
	in.running, in.decl = nil, nil
	in.leave()
	if !ended {
		if co.eval != nil && co.task.Paused() {
			co.eval.paused()
		}
		return
	}
	co.over = true
	if i := slices.Index(in.waits, co); i >= 0 {
		in.waits = slices.Delete(in.waits, i, i+1)
	}
	value, err := co.task.Result(1)
	co.task.End()
	if co.eval != nil {
		co.eval.finish(err)
		return
	}
	co.ended(co.outcome(value, err))
}

// outcome is what the engine is told of a coroutine that ended.
func (co *coroutine) outcome(value glua.LValue, err error) (engine.Decision, error) {
	in := co.in
	switch {
	case co.cause != nil:
		return engine.Decision{}, co.cause
	case err != nil && co.vm != in.vm:
		return engine.Decision{}, &engine.ScriptError{Script: in.prog.path, Message: err.Error()}
	case err != nil:
		return engine.Decision{}, in.scriptError(err)
	case co.fn == 0:
		return engine.Decision{}, nil
	}
	return in.decision(value, co.fn, co.call)
}

// Start implements [engine.Instance].
func (in *instance) Start(fn engine.FuncID, call *engine.Call, ended func(engine.Decision, error)) engine.Suspended {
	if in.broken != nil || in.mode != idle || fn < 1 || int(fn) > len(in.funcs) || in.funcs[fn-1].fn == nil {
		ended(engine.Decision{}, in.unable(fn))
		return nil
	}
	co, err := in.coroutine(call, "handler")
	if err != nil {
		ended(engine.Decision{}, &engine.ScriptError{Script: in.prog.path, Line: lineOf(in.funcs[fn-1].fn), Message: err.Error()})
		return nil
	}
	co.fn, co.ended = fn, ended
	co.enter()
	L := co.task.Thread()
	L.Push(in.funcs[fn-1].fn)
	in.args = in.args[:0]
	if et := in.prog.rt.events[call.Info]; et != nil {
		in.args = et.Args(in, L, call.Event, in.args)
	}
	for _, a := range in.args {
		L.Push(a)
	}
	co.nargs = len(in.args)
	co.run()
	if co.over {
		return nil
	}
	return co
}

// lineOf returns the line that a function of a script begins at.
func lineOf(fn *glua.LFunction) int {
	if fn.Proto == nil {
		return 0
	}
	return fn.Proto.LineDefined
}

// coroutine makes one whose function and arguments are to be pushed.
func (in *instance) coroutine(call *engine.Call, what string) (*coroutine, error) {
	task, err := in.vm.NewTask()
	if err != nil {
		return nil, fmt.Errorf("too many coroutines: %d of this script are not finished", in.vm.Coroutines())
	}
	co := &coroutine{in: in, task: task, vm: in.vm, call: call, what: what}
	in.waits = append(in.waits, co)
	return co, nil
}

// spawn is spawn(fn, ...).
func (in *instance) spawn(L *glua.LState) int {
	in.Effect(L, "spawn")
	fn, ok := L.Get(1).(*glua.LFunction)
	if !ok {
		in.raise(L, remark{msg: "spawn takes a function, not " + describe(L.Get(1)), hint: "as in spawn(function() … end)", word: "spawn"})
	}
	from := in.Caller(L)
	call := &engine.Call{Caller: event.Caller{
		Shard: from.Shard, Script: from.Script, Rule: from.Rule, Gen: from.Gen, Point: from.Point,
	}}
	if in.call != nil {
		call.Where = in.call.Where
	}
	co, err := in.coroutine(call, "spawned function")
	if err != nil {
		L.Push(glua.LNil)
		L.Push(glua.LString("spawn: " + err.Error()))
		return 2
	}
	co.ended = func(_ engine.Decision, err error) {
		if err != nil {
			in.env.Services.Failed(in, call, err)
		}
	}
	th := co.task.Thread()
	th.Push(fn)
	for i := 2; i <= L.GetTop(); i++ {
		th.Push(L.Get(i))
	}
	co.nargs = L.GetTop() - 1
	in.env.Services.Later(co.begin)
	L.Push(glua.LTrue)
	return 1
}

// Waiting implements [engine.Instance].
func (in *instance) Waiting() int { return len(in.waits) }

// CancelWaits implements [engine.Instance].
func (in *instance) CancelWaits(cause error) {
	for _, co := range slices.Clone(in.waits) {
		co.Cancel(cause)
	}
}
