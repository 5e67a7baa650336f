package engine

import "time"

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
	// LogLines is how many log lines and alerts a script may write in a second
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
