package engine

import (
	"strconv"
	"time"
)

// Limits bound what scripts may use. The zero value of a field means its
// default.
type Limits struct {
	// HandlerInstructions is the budget of one handler call.
	HandlerInstructions int
	// LoadInstructions is the budget of a script's top level.
	LoadInstructions int
	// Overruns within SuspendWindow suspend a rule.
	Overruns int
	// Errors within SuspendWindow suspend a rule.
	Errors int
	// SuspendWindow is in event time.
	SuspendWindow time.Duration
	// Alerts is how many alerts a script may give in a second of event time.
	Alerts int
	// LogLines is how many log lines a script may write in a second
	// of event time; the rest is dropped and counted.
	LogLines int
	// Timers is how many timers a script may declare.
	Timers int
	// RaiseDepth is how deep raised events may cause further ones.
	RaiseDepth int
	// RaiseQueue is how many raised events may wait in a shard.
	RaiseQueue int
	// TimerCatchUp is how many periods a repeating timer runs late, one by one,
	// before the rest of a jump in time is skipped and counted.
	TimerCatchUp int
	// StateBytes bounds a script's state, DataBytes its data on one object.
	StateBytes int
	DataBytes  int
	// ThresholdKeys bounds the keys that one threshold follows.
	ThresholdKeys int
	// Rules bounds the rules of one script.
	Rules int
}

// Limit describes one limit for documentation.
type Limit struct {
	Name, Default, Doc string
}

// DocLimits lists the engine's limits with their defaults.
func DocLimits() []Limit {
	l := Limits{}.withDefaults()
	n := func(name string, v int, doc string) Limit { return Limit{name, strconv.Itoa(v), doc} }
	return []Limit{
		n("handler_instructions", l.HandlerInstructions, "instructions of one handler or filter call; more is an overrun"),
		n("load_instructions", l.LoadInstructions, "instructions of a script's top level"),
		n("suspend_overruns", l.Overruns, "overruns within suspend_window that suspend a rule"),
		n("suspend_errors", l.Errors, "errors within suspend_window that suspend a rule"),
		{"suspend_window", l.SuspendWindow.String(), "event time within which failures add up"},
		n("log_lines", l.LogLines, "log lines of a script in a second of event time; the rest is dropped and counted"),
		n("alerts", l.Alerts, "alerts of a script in a second of event time; the rest is dropped and counted"),
		n("timers", l.Timers, "timers of a script"),
		n("rules", l.Rules, "rules of a script"),
		n("raise_depth", l.RaiseDepth, "raised events that cause raised events, and so on"),
		n("raise_queue", l.RaiseQueue, "raised events that wait for the running handler"),
		n("timer_catch_up", l.TimerCatchUp, "periods that a timer runs late one by one after a jump in time"),
		n("state_bytes", l.StateBytes, "a script's state"),
		n("data_bytes", l.DataBytes, "a script's data on one connection"),
		n("threshold_keys", l.ThresholdKeys, "keys that one threshold follows; the one not touched for longest gives way"),
	}
}

// withDefaults fills what is zero.
func (l Limits) withDefaults() Limits {
	set := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	set(&l.HandlerInstructions, 200_000)
	set(&l.LoadInstructions, 50_000_000)
	set(&l.Overruns, 3)
	set(&l.Errors, 10)
	set(&l.LogLines, 1000)
	set(&l.Alerts, 10_000)
	set(&l.Timers, 10_000)
	set(&l.RaiseDepth, 8)
	set(&l.RaiseQueue, 1024)
	set(&l.TimerCatchUp, 10_000)
	set(&l.StateBytes, 1<<20)
	set(&l.DataBytes, 8<<10)
	set(&l.ThresholdKeys, 100_000)
	set(&l.Rules, 10_000)
	if l.SuspendWindow == 0 {
		l.SuspendWindow = 10 * time.Second
	}
	return l
}
