package engine

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event/plain"
	"github.com/hookd/hookd/engine/store"
)

// Limits bound what scripts may use. The zero value of a field means its
// default.
type Limits struct {
	// HandlerInstructions is the budget of one handler call.
	HandlerInstructions int
	// LoadInstructions is the budget of a script's top level.
	LoadInstructions int
	// LoadTime bounds a top level in time, by the clock of the machine: instructions
	// can be dear, and an operator waits for it.
	LoadTime time.Duration
	// ConsoleInstructions is the budget of one evaluation at a console, of which
	// ConsoleSlice run between two looks at what else the shard has to do.
	ConsoleInstructions int
	ConsoleSlice        int
	// StringBytes is the longest string that a function or .. makes.
	StringBytes int
	// CallDepth is how deep calls nest within a coroutine, CallValues how many values
	// they hold at once.
	CallDepth  int
	CallValues int
	// Coroutines is how many of a script, on a shard, are not finished.
	Coroutines int
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
	// Timers is how many timers a script may declare, and how many it may have
	// started in handlers, on a shard.
	Timers int
	// Bindings is how many handlers a script may have bound to objects, on a
	// shard; ObjectBindings how many handlers and timers one object may have.
	Bindings       int
	ObjectBindings int
	// Draining is how many machines of a script may go on behind the live one
	// for the functions they bound, on a shard.
	Draining int
	// RaiseDepth is how deep raised events may cause further ones.
	RaiseDepth int
	// RaiseQueue is how many raised events may wait in a shard.
	RaiseQueue int
	// SubjectQueue is how many events of one subject may wait for a handler that
	// waits.
	SubjectQueue int
	// SleepCatchUp is how often coroutines wake up while time jumps, all together,
	// before the rest of the jump is skipped and counted.
	SleepCatchUp int
	// TimerCatchUp is how many periods a repeating timer runs late, one by one,
	// before the rest of a jump in time is skipped and counted.
	TimerCatchUp int
	// StateBytes bounds a script's state, DataBytes its data on one object.
	StateBytes int
	DataBytes  int
	// ThresholdKeys bounds the keys that one threshold follows.
	ThresholdKeys int
	// StoreEntries and StoreBytes bound a store whose declaration does not say.
	StoreEntries int
	StoreBytes   int
	// Rules bounds the rules of one script.
	Rules int
	// Inbox is how much may wait in a shard that others want done there.
	Inbox int
}

// Limit describes one limit for documentation.
type Limit struct {
	Name, Default, Doc string
}

// limit is one of the limits by name: a number or a time.
type limit struct {
	name, doc string
	n         *int
	most      int // of n; 0: what 32 bits hold
	d         *time.Duration
}

// The most that limits of scripts' machines can be set to. Each thread of a machine
// has room for the notes of its calls from the start, and a string is made in one go.
const (
	mostCallDepth   = 16 << 10
	mostCallValues  = 1 << 20
	mostStringBytes = 64 << 20
	mostCoroutines  = 1_000_000
)

// text writes the value.
func (f limit) text() string {
	if f.d != nil {
		return f.d.String()
	}
	return strconv.Itoa(*f.n)
}

// named lists the limits in the order in which they are documented.
func (l *Limits) named() []limit {
	n := func(name string, v *int, doc string) limit { return limit{name: name, n: v, doc: doc} }
	return []limit{
		n("handler_instructions", &l.HandlerInstructions, "instructions of one handler or filter call; more is an overrun"),
		n("load_instructions", &l.LoadInstructions, "instructions of a script's top level"),
		{name: "load_time", d: &l.LoadTime, doc: "a script's top level, by the clock of the machine"},
		n("console_instructions", &l.ConsoleInstructions, "instructions of one evaluation at a console"),
		n("console_slice", &l.ConsoleSlice, "instructions of it that run at a time; events are served in between"),
		{name: "string_bytes", n: &l.StringBytes, most: mostStringBytes, doc: "the longest string that a function or .. makes"},
		{name: "call_depth", n: &l.CallDepth, most: mostCallDepth, doc: "calls inside one another"},
		{name: "call_values", n: &l.CallValues, most: mostCallValues, doc: "values that the calls of a coroutine hold at once"},
		{name: "coroutines", n: &l.Coroutines, most: mostCoroutines, doc: "a script's coroutines that are not finished, with handlers that wait and what spawn started"},
		n("suspend_overruns", &l.Overruns, "overruns within suspend_window that suspend a rule"),
		n("suspend_errors", &l.Errors, "errors within suspend_window that suspend a rule"),
		{name: "suspend_window", d: &l.SuspendWindow, doc: "event time within which failures add up"},
		n("log_lines", &l.LogLines, "log lines of a script in a second of event time; the rest is dropped and counted"),
		n("alerts", &l.Alerts, "alerts of a script in a second of event time; the rest is dropped and counted"),
		n("timers", &l.Timers, "timers that a script declares, and timers that it started in handlers"),
		n("bindings", &l.Bindings, "handlers that a script has bound to connections"),
		n("object_bindings", &l.ObjectBindings, "handlers and timers that all scripts have bound to one connection"),
		n("draining", &l.Draining, "earlier machines of a script that go on for the functions they bound; beyond, the oldest is cut"),
		n("rules", &l.Rules, "rules of a script"),
		n("raise_depth", &l.RaiseDepth, "raised events that cause raised events, and so on"),
		n("raise_queue", &l.RaiseQueue, "raised events that wait for the running handler"),
		n("subject_queue", &l.SubjectQueue, "events of a connection or transaction that queue while a handler of it waits; beyond, an event is refused and counted"),
		n("timer_catch_up", &l.TimerCatchUp, "periods that a timer runs late one by one after a jump in time"),
		n("sleep_catch_up", &l.SleepCatchUp, "wakes of coroutines, of all scripts, during one jump in time; the next come behind it"),
		n("state_bytes", &l.StateBytes, "a script's state"),
		n("data_bytes", &l.DataBytes, "a script's data on one connection"),
		{name: "store_entries", n: &l.StoreEntries, most: store.MostMax, doc: "a store's entries, where its max says nothing else"},
		n("store_bytes", &l.StoreBytes, "a store's memory, where its max_bytes says nothing else"),
		n("threshold_keys", &l.ThresholdKeys, "keys that one threshold follows; the one not touched for longest gives way"),
		n("shard_inbox", &l.Inbox, "what waits in a shard of what others want done there; more is refused and counted"),
	}
}

// DocLimits lists the engine's limits with their defaults.
func DocLimits() []Limit { return Limits{}.Doc() }

// Doc lists the limits with their values, defaults filled in.
func (l Limits) Doc() []Limit {
	l = l.withDefaults()
	var list []Limit
	for _, f := range l.named() {
		list = append(list, Limit{f.name, f.text(), f.doc})
	}
	return list
}

// Set changes the limit of that name: a whole number of at least 1, a size such
// as "64KiB", or for a time a number of seconds or a text such as "10s".
func (l *Limits) Set(name string, value any) error {
	var names []string
	for _, f := range l.named() {
		if f.name == name {
			return f.set(value)
		}
		names = append(names, f.name)
	}
	hint := ""
	if near := diag.Nearest(name, names); near != "" {
		hint = "; did you mean " + near + "?"
	}
	return fmt.Errorf("there is no limit %s that can be set%s", name, hint)
}

func (f limit) set(value any) error {
	if f.d != nil {
		d, err := durationOf(value)
		if err == nil && d <= 0 {
			err = errors.New("a time is more than 0")
		}
		if err == nil {
			*f.d = d
		}
		return err
	}
	n, err := wholeOf(value)
	most := int64(cmp.Or(f.most, math.MaxInt32))
	if err == nil && (n < 1 || n > most) {
		err = fmt.Errorf("a whole number from 1 to %d expected, got %d", most, n)
	}
	if err == nil {
		*f.n = int(n)
	}
	return err
}

// durationOf reads "10s" or a number of seconds.
func durationOf(value any) (time.Duration, error) {
	switch v := value.(type) {
	case string:
		return plain.Duration(v)
	case float64:
		return plain.Seconds(v)
	}
	return 0, errors.New(`a duration such as "10s" expected`)
}

// wholeOf reads a whole number or a size such as "64KiB".
func wholeOf(value any) (int64, error) {
	switch v := value.(type) {
	case string:
		return plain.Size(v)
	case float64:
		return plain.Integer(v, 1, math.MaxInt32)
	}
	return 0, errors.New("a whole number expected")
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
	set(&l.ConsoleInstructions, 5_000_000)
	set(&l.ConsoleSlice, 50_000)
	set(&l.StringBytes, 1<<20)
	set(&l.CallDepth, 1024)
	set(&l.CallValues, 16<<10)
	set(&l.Coroutines, 10_000)
	set(&l.StoreEntries, store.DefaultMax)
	set(&l.StoreBytes, store.DefaultMaxBytes)
	set(&l.Overruns, 3)
	set(&l.Errors, 10)
	set(&l.LogLines, 1000)
	set(&l.Alerts, 10_000)
	set(&l.Timers, 10_000)
	set(&l.Bindings, 1_000_000)
	set(&l.ObjectBindings, 64)
	set(&l.Draining, 3)
	set(&l.RaiseDepth, 8)
	set(&l.RaiseQueue, 1024)
	set(&l.SubjectQueue, 64)
	set(&l.SleepCatchUp, 100_000)
	set(&l.TimerCatchUp, 10_000)
	set(&l.StateBytes, 1<<20)
	set(&l.DataBytes, 8<<10)
	set(&l.ThresholdKeys, 100_000)
	set(&l.Rules, 10_000)
	set(&l.Inbox, 4096)
	if l.SuspendWindow == 0 {
		l.SuspendWindow = 10 * time.Second
	}
	if l.LoadTime == 0 {
		l.LoadTime = 10 * time.Second
	}
	return l
}
