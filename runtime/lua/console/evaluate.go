package console

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/runtime/lua"
)

// declared is a declaration of the session, with the input that it stands in.
type declared struct {
	kind, name string
	rule       *engine.RuleDecl
	event      *engine.EventDecl
	timer      *engine.TimerDecl
	text       string
}

// running is an evaluation on its way.
type running struct {
	eval  *lua.Evaluation
	more  chan struct{}
	ended chan struct{}
	out   lua.Outcome
	shown []string
}

// evaluate runs Lua in a shard, in slices; between two the shard serves, for at
// least as long as the slice took.
func (s *Session) evaluate(ctx context.Context, at int, text string) Reply {
	st := s.seatAt(at)
	env, err := s.machine(st)
	if err != nil {
		return s.failure(err)
	}
	shard := env.Shard
	shard.Enter()
	names := st.desk.Names()
	shard.Leave()
	input, diags := st.desk.Compile(text, names)
	if diags.HasErrors() {
		return s.failure(diags)
	}
	if st.desk == st.home {
		s.guest.Begin(at)
	}
	if s.guest.Reads(input.Reads()) && s.conf.Changed != nil {
		s.conf.Changed()
	}
	r := &running{more: make(chan struct{}, 1), ended: make(chan struct{})}
	later := func(step func()) time.Duration {
		shard.Enter()
		defer shard.Leave()
		begun := time.Now()
		env.Services.Later(step)
		return time.Since(begun)
	}
	took := later(func() { r.eval = st.desk.Start(input, func() { r.more <- struct{}{} }, r.end(st.desk, s.conf.Width)) })
	for over := ctx.Done(); ; {
		select {
		case <-r.ended:
			return s.outcome(st, r, text)
		case <-over:
			over = nil
			cause := context.Cause(ctx)
			later(func() { r.eval.Cancel(cause) })
		case <-r.more:
			time.Sleep(took)
			took = later(func() { r.eval.Resume() })
		}
	}
}

// end takes what became of the evaluation, and shows its values while the shard
// is entered.
func (r *running) end(desk *lua.Desk, width int) func(lua.Outcome) {
	return func(out lua.Outcome) {
		r.out = out
		for _, v := range out.Values {
			if out.Err == nil && !desk.Declared(v, out.Plan) {
				r.shown = append(r.shown, show(desk, v, width))
			}
		}
		close(r.ended)
	}
}

// machine returns what the machine of the seat's desk uses of the engine. A desk whose
// script was reloaded moves to the new machine.
func (s *Session) machine(st *seat) (*engine.Env, error) {
	if s.in == "" {
		return st.env, nil
	}
	var env *engine.Env
	err := s.conf.Engine.Visit(s.in, st.index, func(in engine.Instance, e *engine.Env) {
		env = e
		if in != st.desk.Instance() {
			s.move(st, in)
		}
	})
	if err != nil {
		s.look("")
	}
	return env, err
}

// move takes a seat into a machine of the script that is looked into.
func (s *Session) move(st *seat, in engine.Instance) {
	desk, err := s.rt.DeskAt(in, lua.DeskConfig{Name: s.guest.Path(), Print: s.conf.Notes, Store: s.store})
	if err != nil {
		return // the engine has one runtime
	}
	if st.desk != st.home {
		s.conf.Notes(s.in + " was reloaded: this is its new machine, and what was changed or named in the one before is gone")
	}
	st.desk = desk
}

// outcome puts what became of an evaluation into words, and makes what it declared
// live.
func (s *Session) outcome(st *seat, r *running, text string) Reply {
	if r.out.Err != nil {
		if errors.Is(r.out.Err, lua.ErrGone) {
			return Reply{Text: s.in + " was reloaded meanwhile: try again", Failed: true}
		}
		return s.failure(r.out.Err)
	}
	lines := r.shown
	if s.in == "" {
		s.define(text)
	}
	if s.in != "" {
		st.enter(func() {
			if names := st.desk.Changes(); len(names) > 0 {
				lines = append(lines, "changed until "+s.in+" is reloaded: "+strings.Join(names, ", "))
			}
		})
	}
	if r.out.Plan != nil {
		said, err := s.declare(st, &r.out, text)
		if err != nil {
			return s.failure(err)
		}
		lines = append(lines, said...)
	}
	return Reply{Text: strings.Join(lines, "\n")}
}

// declare makes what an evaluation declared live on its shard, in the place of what
// was declared there before under the same names. Timers are those of the first.
func (s *Session) declare(st *seat, out *lua.Outcome, text string) ([]string, error) {
	if st.index != 0 {
		for _, t := range out.Plan.Timers {
			s.conf.Notes("timer " + quote(t.Name) + " runs once, on shard 0")
		}
		out.Plan.Timers = nil
	}
	fresh := declarations(out.Plan, text)
	if len(fresh) == 0 && !out.Stores {
		return nil, nil
	}
	next := slices.DeleteFunc(slices.Clone(st.rules), func(d declared) bool {
		return slices.ContainsFunc(fresh, func(f declared) bool { return f.kind == d.kind && f.name == d.name })
	})
	next = append(next, fresh...)
	if diags := s.guest.Declare(st.index, planOf(next), st.home.Text(), out.Stores); diags.HasErrors() {
		st.enter(out.Drop)
		return nil, diags
	}
	replaced := st.rules
	st.rules = next
	st.enter(func() {
		for _, d := range replaced {
			if !slices.ContainsFunc(next, func(n declared) bool { return n.rule == d.rule && n.event == d.event && n.timer == d.timer }) {
				st.home.DropRule(d.functions()...)
			}
		}
	})
	var lines []string
	for _, d := range fresh {
		lines = append(lines, d.kind+" "+quote(d.name)+" is live until this console is left, or `:save FILE`")
	}
	return lines, nil
}

// declarations lists what a plan declares.
func declarations(p *engine.Plan, text string) []declared {
	var list []declared
	for _, r := range p.Rules {
		kind := "rule"
		if r.Handler {
			kind = "handler"
		}
		list = append(list, declared{kind: kind, name: r.Name, rule: r, text: text})
	}
	for _, e := range p.Events {
		list = append(list, declared{kind: "event", name: e.Name, event: e, text: text})
	}
	for _, t := range p.Timers {
		list = append(list, declared{kind: "timer", name: t.Name, timer: t, text: text})
	}
	return list
}

// planOf is the plan of all that the session declared.
func planOf(list []declared) *engine.Plan {
	p := &engine.Plan{}
	for _, d := range list {
		switch {
		case d.rule != nil:
			p.Rules = append(p.Rules, d.rule)
		case d.event != nil:
			p.Events = append(p.Events, d.event)
		case d.timer != nil:
			p.Timers = append(p.Timers, d.timer)
		}
	}
	return p
}

// functions are those that the declaration has of the machine.
func (d *declared) functions() []engine.FuncID {
	switch {
	case d.rule != nil:
		return []engine.FuncID{d.rule.When, d.rule.Run}
	case d.event != nil:
		return []engine.FuncID{d.event.When}
	}
	return []engine.FuncID{d.timer.Run}
}
