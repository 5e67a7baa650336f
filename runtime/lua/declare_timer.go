package lua

import "github.com/hookd/hookd/engine"

var timerKeys = []string{"every", "after", "run", "doc"}

// timer is `timer "name" { every | after, run }`.
func (d *declarer) timer(f *fields) {
	t := &engine.TimerDecl{Name: f.name, Line: f.line, Every: f.duration("every"), After: f.duration("after"), Run: f.fn("run")}
	_ = f.str("doc")
	if !f.has("every") && !f.has("after") {
		f.missing("every", `as in every = "60s", or after = "5s" for once`)
	}
	if !f.has("run") {
		f.missing("run", "as in run = function() … end")
	}
	d.plan.Timers = append(d.plan.Timers, t)
}
