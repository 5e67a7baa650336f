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

// Outcome is what became of an evaluation.
type Outcome struct {
	// Values are the input's results; they belong to the machine.
	Values []glua.LValue
	// Err says why it failed: a [*diag.Diagnostic], or a list of them.
	Err error
	// Plan is what it declared, Stores says that stores were among that; Drop lets
	// go of the functions of a plan that is not taken.
	Plan   *engine.Plan
	Stores bool
	Drop   func()
}

// Evaluation is an input that runs.
type Evaluation struct {
	desk   *Desk
	co     *coroutine
	decl   *declarer // nil in a script's machine
	values []glua.LValue
	more   func()
	ended  func(Outcome)
}

// Start runs an input, up to the end of its first slice. more is called, with the
// shard entered, each time it is to go on by [Evaluation.Resume]; ended once. It
// runs as what [engine.Services.Later] calls, as Resume and Cancel do.
func (d *Desk) Start(input *Input, more func(), ended func(Outcome)) *Evaluation {
	if err := d.ready(); err != nil {
		ended(Outcome{Err: err})
		return nil
	}
	in := d.in
	call := &engine.Call{Caller: event.Caller{Shard: in.env.Shard, Script: in.prog.path, Gen: in.env.Gen}}
	co, err := in.coroutine(call, "the evaluation")
	if err != nil {
		ended(Outcome{Err: err})
		return nil
	}
	e := &Evaluation{desk: d, co: co, more: more, ended: ended}
	co.eval = e
	d.serial++
	if d.own {
		in.prog.outline = input.outline
		e.decl = &declarer{in: in, plan: &engine.Plan{}, serial: fmt.Sprintf("%d ", d.serial)}
	} else if input.changes {
		in.changed()
	}
	d.take(input)
	g := in.vm.Globals()
	g.RawSetString(resultsName, in.vm.State().NewFunction(func(L *glua.LState) int {
		for i := 1; i <= L.GetTop(); i++ {
			e.values = append(e.values, L.Get(i))
		}
		return 0
	}))
	co.enter()
	fn := in.vm.State().NewFunctionFromProto(input.proto)
	fn.Env = d.env
	co.task.Thread().Push(fn)
	limits := &in.prog.rt.cfg.Limits
	co.leave(co.task.StartSliced(limits.ConsoleInstructions, limits.ConsoleSlice, "the evaluation", 0))
	return e
}

// Resume goes on with the next slice.
func (e *Evaluation) Resume() {
	co := e.co
	if co.over || !co.task.Paused() {
		return
	}
	co.enter()
	co.leave(co.task.Resume(0, ""))
}

// Cancel ends it for a reason.
func (e *Evaluation) Cancel(cause error) {
	if e != nil {
		e.co.Cancel(cause)
	}
}

func (e *Evaluation) paused() { e.more() }

// finish tells what became of it.
func (e *Evaluation) finish(err error) {
	in, d := e.desk.in, e.decl
	out := Outcome{Values: e.values}
	var f *vm.Failure
	switch {
	case e.co.cause != nil:
		out.Err = e.co.cause
	case errors.As(err, &f):
		out.Err = in.diagnostic(err)
		if f.Broken && e.co.vm == in.vm {
			in.rebuild()
		}
	case err != nil:
		out.Err = err
	}
	if d != nil {
		if out.Err == nil {
			d.finish()
			if d.diags.HasErrors() {
				d.diags.Sort()
				out.Err = d.diags
			}
		}
		if out.Err == nil {
			out.Plan, out.Stores = d.plan, d.stores
		}
		out.Drop = func() { in.dropLabels(d.serial) }
		if out.Err != nil {
			out.Drop()
		}
	}
	e.ended(out)
}

// dropLabels forgets the functions whose labels begin so.
func (in *instance) dropLabels(prefix string) {
	for label, id := range in.labels {
		if len(label) >= len(prefix) && label[:len(prefix)] == prefix {
			delete(in.labels, label)
			in.Release(id)
		}
	}
}

// Declared reports whether v is the handle of a rule that plan declares.
func (d *Desk) Declared(v glua.LValue, plan *engine.Plan) bool {
	h, ok := valueOf[*handle](v)
	return ok && plan != nil && slices.ContainsFunc(plan.Rules, func(r *engine.RuleDecl) bool { return r.Name == h.name })
}

// DropRule forgets the functions of a declaration that another took the place
// of.
func (d *Desk) DropRule(fns ...engine.FuncID) {
	for label, id := range d.in.labels {
		for _, fn := range fns {
			if id == fn && fn != 0 {
				delete(d.in.labels, label)
				d.in.Release(id)
			}
		}
	}
}

// told hands a printed line to the console that made it be printed.
func (in *instance) told(line string) bool {
	d := in.desk
	if in.running != nil && in.running.eval != nil {
		d = in.running.eval.desk
	}
	if d == nil || d.conf.Print == nil {
		return false
	}
	d.conf.Print(line)
	return true
}
