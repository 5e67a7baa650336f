package engine

import (
	"slices"
	"sync"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/hookdev"
	"github.com/hookd/hookd/engine/record"
	"github.com/hookd/hookd/engine/statedir"
	"github.com/hookd/hookd/engine/store"
)

// Config is what an engine is made of.
type Config struct {
	// Catalogue holds the families whose events rules may bind to.
	Catalogue *catalogue.Catalogue
	// Scopes compile a rule's scope, by family name.
	Scopes map[string]Scope
	// Joins make one verdict of two, by family name, where points combine by
	// strictness. Of a family without one, the first holds.
	Joins map[string]Join
	// Sink receives what scripts say; nil discards it.
	Sink Sink
	// Limits bound what scripts use; zero fields mean the defaults.
	Limits Limits
	// Observe makes every rule record what it would decide and decide nothing.
	Observe bool
	// CheckNative calls the functions that have a native form too and reports
	// where the two differ. It is for tests and for looking into a doubt: it
	// costs what the native form saves.
	CheckNative bool
	// Steps, if not nil, is told what each rule does with each event. It is for
	// who asks why: it costs more than most rules. The step is lent.
	Steps func(*Step)
	// ReadFile reads the data files that scripts name; nil: there are none.
	ReadFile func(path string) ([]byte, error)
	// Shipped are modules that every script finds by their name, wherever it is, unless one of that name
	// is nearer. Only Path, Text and Module count.
	Shipped []Source
	// State keeps the stores that persist; nil: they do not.
	State *statedir.Dir
}

// Engine holds the live generation and what outlives generations.
type Engine struct {
	cfg     Config
	runtime Runtime
	shards  []*shard
	stores  *store.Registry

	stateLimits, dataLimits record.Limits

	mu       sync.Mutex // guards what follows: staging and publishing
	live     *Generation
	guests   []*Guest
	editions uint64
	kept     map[string]*kept // by script path
	rules    map[ruleKey]*ruleState
	points   [event.MaxPoints]*event.Info
	infos    map[string]*event.Info // by name of the point
	taps     map[event.PointID][]*Tap
	started  bool
	damaged  map[string]bool // stores whose saved content could not be read
	reloads  uint64
	failures uint64
}

// kept is what a script keeps over its reloads.
type kept struct {
	path   string
	state  *record.Root
	lines  lineLimit
	alerts lineLimit
}

type ruleKey struct{ script, name string }

// shard is a [event.Shard] with what the engine keeps for it.
type shard struct {
	*event.Shard
	engine *Engine
	gen    *Generation
	plans  [event.MaxPoints]*pointPlan
	timers map[timerKey]*timer

	// What handlers bound, and where: by handler and function, by machine, by
	// script, and how much at each point.
	targets map[ruleKey]*target
	sources map[Instance]*source
	used    map[string]*usage
	dynamic [event.MaxPoints]uint32
	loose   []*target // without bindings, to be let go of when nothing runs
	bound   DynamicStats
	serial  uint64

	memo    []Answer // of user-defined events, of the events being handled
	busy    bool     // a dispatch is running
	depth   int      // of raised events
	payload any
	queue   raiseQueue
	call    Call
	// decision is the record that the sink was lent last.
	decision DecisionRecord
	lent     Step // to Config.Steps
	// followers are told of steps too; nil where there are none.
	followers []*func(*Step)

	ready      []func()    // to run when no handler runs
	rest       event.Timer // for those that were too many
	jump       int64       // the time that Advance leads to, with
	wakes      int         // how often scripts were woken on the way
	held       map[event.Kept]*held
	walks      map[*walk]func() // left where a handler waits, with what ends them
	spareWalks []*walk
	closed     bool

	canceled, queueRefused uint64

	events, errors, alerts, skips uint64
}

// New returns an engine with one shard and nothing loaded. The runtime is given
// later, by [Engine.Use], because a runtime needs the engine's functions.
func New(cfg Config) *Engine {
	cfg.Limits = cfg.Limits.withDefaults()
	if cfg.Sink == nil {
		cfg.Sink = Discard{}
	}
	e := &Engine{
		cfg:   cfg,
		kept:  map[string]*kept{},
		rules: map[ruleKey]*ruleState{},
		infos: map[string]*event.Info{},
		taps:  map[event.PointID][]*Tap{},

		damaged: map[string]bool{},
	}
	for _, f := range cfg.Catalogue.Families() {
		for _, info := range f.Events {
			for i := range info.Points {
				e.points[info.Points[i].ID] = info
				e.infos[info.Points[i].Name] = info
			}
		}
	}
	e.stateLimits, e.dataLimits = record.StateLimits(), record.ConnLimits()
	e.stateLimits.Total, e.dataLimits.Total = cfg.Limits.StateBytes, cfg.Limits.DataBytes
	s := newShard(e, 0)
	e.shards = []*shard{s}
	e.stores = store.NewRegistry(s.Shard, 0)
	e.live = emptyGeneration()
	s.gen = e.live
	return e
}

func newShard(e *Engine, index int) *shard {
	return &shard{
		Shard: event.NewShard(index), engine: e, timers: map[timerKey]*timer{},
		targets: map[ruleKey]*target{}, sources: map[Instance]*source{}, used: map[string]*usage{},
		held: map[event.Kept]*held{}, walks: map[*walk]func(){},
	}
}

// Use gives the engine the runtime that compiles its scripts.
func (e *Engine) Use(rt Runtime) { e.runtime = rt }

// Runtime returns the runtime that was given.
func (e *Engine) Runtime() Runtime { return e.runtime }

// Generation returns the number of the live generation, 0 before the first.
func (e *Engine) Generation() uint64 { return e.shards[0].gen.Number }

// Shard returns shard number i, for stacks to raise their events through.
func (e *Engine) Shard(i int) *event.Shard { return e.shards[i].Shard }

// Limits returns the limits in force.
func (e *Engine) Limits() Limits { return e.cfg.Limits }

// Catalogue returns the families the engine was made with.
func (e *Engine) Catalogue() *catalogue.Catalogue { return e.cfg.Catalogue }

// Tap lets t see every event of the point before rules do, until remove.
func (e *Engine) Tap(id event.PointID, t Tap) (remove func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	own := &t
	e.taps[id] = append(slices.Clone(e.taps[id]), own)
	e.install(e.live)
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		rest := slices.DeleteFunc(slices.Clone(e.taps[id]), func(x *Tap) bool { return x == own })
		if e.taps[id] = rest; len(rest) == 0 {
			delete(e.taps, id)
		}
		e.install(e.live)
	}
}

// Start sets event time, arms the timers and raises hookd.start. Before it no
// traffic may flow.
func (e *Engine) Start(now int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.started = true
	for _, s := range e.shards {
		s.Enter()
		s.closed = false
		s.Advance(now)
		s.armAll()
		if s.Index() == 0 {
			emit(s, hookdev.OnStart, &hookdev.Start{})
		}
		s.Leave()
	}
}

// Stop disarms the timers, raises hookd.stop and ends what still waits. Traffic
// has ended.
func (e *Engine) Stop(reason hookdev.StopReason) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.shards {
		s.Enter()
		for _, t := range s.timers {
			s.Timers().Stop(&t.Timer)
		}
		s.stopDelays()
		if s.Index() == 0 && e.started {
			emit(s, hookdev.OnStop, &hookdev.Stop{Reason: reason})
		}
		s.cancelAll()
		s.Leave()
	}
	e.started = false
}

// State returns a script's own record, made on first use.
func (e *Engine) State(path string) *record.Root {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.keptOf(path).state
}

// Close releases the live generation's VMs. The engine is not used afterwards.
func (e *Engine) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.shards {
		s.Enter()
		s.cancelAll()
		for _, sc := range e.live.order {
			sc.instance.Close()
		}
		s.closeDraining()
		s.closeWalks()
		s.Leave()
	}
}

// Stats counts what happened since the engine was made.
type Stats struct {
	Generation     uint64
	Events         uint64 // raised to at least one rule or tap
	Errors         uint64 // failures of scripts
	Alerts         uint64
	Refused        uint64 // raised events that did not fit their queue or went too deep
	TimerSkips     uint64 // periods of repeating timers skipped after jumps in time
	LinesDropped   uint64 // log lines beyond their limit
	AlertsDropped  uint64 // alerts beyond theirs
	Reloads        uint64
	ReloadFailures uint64
	WaitStats
	DynamicStats
}

// Stats returns the counters.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	st := Stats{Generation: e.live.Number, Reloads: e.reloads, ReloadFailures: e.failures}
	for _, s := range e.shards {
		s.Enter()
		st.Events += s.events
		st.Errors += s.errors
		st.Alerts += s.alerts
		st.Refused += s.queue.Refused
		st.TimerSkips += s.skips
		st.WaitStats.add(s)
		st.DynamicStats.add(&s.bound)
		s.Leave()
	}
	s := e.shards[0]
	s.Enter()
	defer s.Leave()
	for _, k := range e.kept {
		st.LinesDropped += k.lines.Dropped
		st.AlertsDropped += k.alerts.Dropped
	}
	return st
}

// RuleStatus is one live rule with its counters.
type RuleStatus struct {
	Script, Name string
	Line         int
	Points       []string
	Suspended    bool
	// Handler: it runs only where it is bound. Off: its script switched it off.
	Handler, Off bool
	RuleStats
}

// Rules lists the live rules in the order of their scripts and files.
func (e *Engine) Rules() []RuleStatus {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.shards[0]
	s.Enter()
	defer s.Leave()
	var list []RuleStatus
	for _, sc := range e.live.order {
		for _, r := range sc.rules {
			st := RuleStatus{
				Script: sc.path, Name: r.decl.Name, Line: r.decl.Line,
				Suspended: r.state.suspended, RuleStats: r.state.RuleStats,
				Handler: r.decl.Handler, Off: r.state.off,
			}
			for _, ref := range r.decl.On {
				st.Points = append(st.Points, ref.Name)
			}
			list = append(list, st)
		}
		list = append(list, s.functionsOf(sc)...)
	}
	return list
}

// Data implements [Services]: the record of one script on one kept object.
func (s *shard) Data(o event.Kept, script string) *record.Root {
	sc := s.gen.scripts[script]
	if sc == nil {
		// Not live: whatever it writes is its own and goes with it.
		return record.NewRoot("data of "+o.Label(), &s.engine.dataLimits)
	}
	slots := o.Slots()
	if r, ok := slots.Get(sc.kept).(*record.Root); ok {
		return r
	}
	r := record.NewRoot("data of "+o.Label(), &s.engine.dataLimits)
	slots.Set(sc.kept, r)
	return r
}

// keptOf returns what the script keeps; it exists since the script was staged.
func (e *Engine) keptOf(path string) *kept {
	if k := e.kept[path]; k != nil {
		return k
	}
	k := &kept{path: path, state: record.NewRoot("state", &e.stateLimits)}
	e.kept[path] = k
	return k
}

// Emit raises an event given as a pointer to its struct, as [event.Point.Emit]
// does for a caller that knows the point by number only. The caller has entered
// the shard.
func (e *Engine) Emit(s *event.Shard, id event.PointID, ev any) event.Verdict {
	return e.shards[s.Index()].Dispatch(s, id, ev)
}
