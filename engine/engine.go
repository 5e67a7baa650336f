package engine

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/hookdev"
	"github.com/hookd/hookd/engine/fiber"
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
	// Fixtures keep up what scripts declare beside rules, by family name. What a family
	// without one declares is only noted.
	Fixtures map[string]Fixtures
	// Sink receives what scripts say; nil discards it.
	Sink Sink
	// Limits bound what scripts use; zero fields mean the defaults.
	Limits Limits
	// Observe makes every rule record what it would decide and decide nothing.
	Observe bool
	// CheckNative calls the functions that have a native form too and reports
	// where the two differ. It is for tests and for looking into a doubt: it
	// costs what the native form saves. Shards are driven together: what another
	// writes at the same time looks like a difference.
	CheckNative bool
	// Publishing, if not nil, runs what publishing a generation does while it holds a
	// shard back from its events, each piece by do. It is for measuring.
	Publishing func(do func())
	// Reading, if not nil, is called by who publishes a generation before the first
	// shard has it, to see that stacks have what it reads: may is [Engine.Reads] for
	// that generation. It may enter shards, and calls nothing of the engine.
	Reading func(may func(fields ...string) bool)
	// Inherit makes an engine for [Engine.Shadow] of that one: its scripts begin with the
	// state, the stores and the counts that they have there.
	Inherit *Engine
	// ThreadCPU returns the processor time of the calling thread in nanoseconds;
	// nil: what rules cost is not measured.
	ThreadCPU func() int64
	// ReadFile reads the data files that scripts name; nil: there are none.
	ReadFile func(path string) ([]byte, error)
	// Shipped are modules that every script finds by their name, wherever it is, unless one of that name
	// is nearer. Only Path, Text and Module count.
	Shipped []Source
	// State keeps the stores that persist; nil: they do not.
	State *statedir.Dir
	// Shards is how many shards there are; 0 means one.
	Shards int
	// Drive says how they are entered: in turn, or each by a goroutine of its own.
	Drive event.Drive
}

// Engine holds the live generation and what outlives generations.
type Engine struct {
	cfg     Config
	runtime Runtime
	set     *event.Shards
	shards  []*shard
	stores  *store.Registry
	number  atomic.Uint64 // of the generation that all shards run

	stateLimits, dataLimits record.Limits

	// changing is held by who prepares or replaces what is live, from beginning to
	// end, and taken before mu: so that others can ask meanwhile.
	changing sync.Mutex
	damaged  map[string]bool // stores whose saved content could not be read

	mu       sync.Mutex // guards what follows; live changes with changing held too
	live     *Generation
	guests   []*Guest
	readers  []*Reads // of expressions that select events
	editions uint64
	kept     map[string]*kept // by script path
	rules    map[ruleKey]*ruleShared
	points   [event.MaxPoints]*event.Info
	infos    map[string]*event.Info // by name of the point
	started  bool
	shadowed bool     // a trial runs beside
	refused  *attempt // what was staged last, if it was not published
	reloads  uint64
	failures uint64
}

type ruleKey struct{ script, name string }

// shard is a [event.Shard] with what the engine keeps for it.
type shard struct {
	*event.Shard
	engine *Engine
	gen    *Generation
	plans  [event.MaxPoints]*pointPlan
	taps   map[event.PointID][]*tapping
	timers map[timerKey]*timer
	rules  map[ruleKey]*ruleState // of gen
	sink   Sink
	// follower is the trial that sees what this shard sees; shadow is, of a shard of a
	// trial, what shows it. Both are nil where there is none.
	follower, shadow *shadow

	// What handlers bound: by handler and function, by machine.
	targets map[ruleKey]*target
	sources map[Instance]*source
	loose   []*target // without bindings, to be let go of when nothing runs
	bound   DynamicStats

	*turn
	memo   []Answer // of user-defined events, of the events being handled
	call   Call     // of what has none of its own
	handed *Call    // to the function that runs, or ran last
	// decision is the record that the sink was lent last.
	decision DecisionRecord
	lent     Step // to the followers

	held       map[event.Kept]*held
	walks      map[*walk]func() // left where a handler waits, with what ends them
	spareWalks []*walk
	fibers     fiber.Pool // that walks run on
	closed     bool

	canceled, queueRefused uint64

	events, errors, alerts, skips uint64
	// followers are told of steps; nil where there are none.
	followers []*func(*Step)
}

// turn is what handlers take: one runs at a time, of those shards that are driven
// together, and what they cause waits for it.
type turn struct {
	shards  []*shard
	busy    bool // a dispatch is running
	depth   int  // of raised events
	payload any
	queue   raiseQueue

	ready []func()    // to run when no handler runs
	rest  event.Timer // for those that were too many
	jump  int64       // the time that Advance leads to, with
	wakes int         // how often scripts were woken on the way

	// What handlers bound: by script, how much at each point, and when.
	used    map[string]*usage
	dynamic [event.MaxPoints]uint32
	serial  uint64
}

func newTurn() *turn { return &turn{used: map[string]*usage{}} }

// New returns an engine with nothing loaded. The runtime is given later, by
// [Engine.Use], because a runtime needs the engine's functions.
func New(cfg Config) *Engine {
	cfg.Limits = cfg.Limits.withDefaults()
	if cfg.Sink == nil {
		cfg.Sink = Discard{}
	}
	e := &Engine{
		cfg:     cfg,
		kept:    map[string]*kept{},
		rules:   map[ruleKey]*ruleShared{},
		infos:   map[string]*event.Info{},
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
	e.set = event.NewShards(cfg.Shards, cfg.Drive, cfg.Limits.Inbox)
	e.live = emptyGeneration()
	common := newTurn()
	for i := range e.set.Len() {
		if cfg.Drive == event.Apart {
			common = newTurn()
		}
		s := newShard(e, i, common)
		if i > 0 {
			s.gen = emptyGeneration()
			e.live.others = append(e.live.others, s.gen)
		}
		e.shards = append(e.shards, s)
	}
	e.stores = store.NewRegistry(e.set.Clock(), 0)
	e.install(e.live)
	return e
}

func newShard(e *Engine, index int, t *turn) *shard {
	s := &shard{
		Shard: e.set.At(index), engine: e, gen: e.live, turn: t, sink: e.cfg.Sink,
		timers: map[timerKey]*timer{}, taps: map[event.PointID][]*tapping{}, rules: map[ruleKey]*ruleState{},
		targets: map[ruleKey]*target{}, sources: map[Instance]*source{},
		held: map[event.Kept]*held{}, walks: map[*walk]func(){},
	}
	t.shards = append(t.shards, s)
	return s
}

// Use gives the engine the runtime that compiles its scripts.
func (e *Engine) Use(rt Runtime) { e.runtime = rt }

// Runtime returns the runtime that was given.
func (e *Engine) Runtime() Runtime { return e.runtime }

// Generation returns the number of the live generation, which all shards run; 0
// before the first. Any goroutine may ask, also in a handler.
func (e *Engine) Generation() uint64 { return e.number.Load() }

// Live returns the live generation. Any goroutine may ask that holds no shard.
func (e *Engine) Live() *Generation {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.live
}

// Stores returns the stores of the live generation.
func (e *Engine) Stores() *store.Registry { return e.stores }

// Now returns event time, the greatest that any shard saw: nanoseconds since the
// Unix epoch. Any goroutine may ask.
func (e *Engine) Now() int64 { return e.set.Clock().Now() }

// Shard returns shard number i, for stacks to raise their events through.
func (e *Engine) Shard(i int) *event.Shard { return e.shards[i].Shard }

// Shards returns all shards.
func (e *Engine) Shards() *event.Shards { return e.set }

// Limits returns the limits in force.
func (e *Engine) Limits() Limits { return e.cfg.Limits }

// Catalogue returns the families the engine was made with.
func (e *Engine) Catalogue() *catalogue.Catalogue { return e.cfg.Catalogue }

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
		for _, sc := range s.gen.order {
			sc.instance.Close()
		}
		s.closeDraining()
		s.fibers.Close()
		s.Leave()
	}
}

// Stats counts what happened since the engine was made.
type Stats struct {
	Generation     uint64 `metrics:"-"` // a family of its own
	Events         uint64 // raised to at least one rule or tap
	Errors         uint64 // failures of scripts
	Alerts         uint64
	Refused        uint64 // raised events that did not fit their queue or went too deep
	PostsRefused   uint64 // of one shard to another, that did not fit its inbox
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
		if e.cfg.Drive == event.Apart || s.Index() == 0 {
			st.Refused += s.queue.Refused
		}
		st.TimerSkips += s.skips
		st.PostsRefused += s.PostsRefused()
		st.WaitStats.add(s)
		st.DynamicStats.add(&s.bound)
		s.Leave()
	}
	for _, k := range e.kept {
		st.LinesDropped += k.lines.dropped()
		st.AlertsDropped += k.alerts.dropped()
	}
	return st
}

// RuleStatus is one live rule with its counters.
type RuleStatus struct {
	Script, Name string
	Line         int
	Points       []string
	Suspended    bool
	// Handler: it runs only where it is bound. Disabled: its declaration says
	// enabled = false. Off: its script switched it off. Halted: a person did, by
	// [Engine.SwitchRule].
	Handler, Disabled, Off, Halted bool
	RuleStats
}

// Rules lists the live rules in the order of their scripts and files.
func (e *Engine) Rules() []RuleStatus {
	e.mu.Lock()
	defer e.mu.Unlock()
	counts := e.ruleStats()
	var list []RuleStatus
	for _, sc := range e.live.order {
		for _, r := range e.rulesOf(sc) {
			list = append(list, r.status(counts))
		}
		list = append(list, e.functionsOf(sc.path)...)
	}
	return list
}

// rulesOf lists the rules that a live script has on any shard.
func (e *Engine) rulesOf(sc *script) []*rule {
	if !sc.guest {
		return sc.rules
	}
	var list []*rule
	for _, part := range e.live.shards() {
		at := part.scripts[sc.path]
		if at == nil {
			continue
		}
		for _, r := range at.rules {
			if !slices.ContainsFunc(list, func(have *rule) bool { return have.decl.Name == r.decl.Name }) {
				list = append(list, r)
			}
		}
	}
	return list
}

// status tells of a rule, with what all shards counted.
func (r *rule) status(counts map[ruleKey]RuleStats) RuleStatus {
	st := RuleStatus{
		Script: r.script.path, Name: r.decl.Name, Line: r.decl.Line,
		Suspended: r.state.suspended(), RuleStats: counts[ruleKey{r.script.path, r.decl.Name}],
		Handler: r.decl.Handler, Disabled: r.decl.Disabled,
		Off: r.state.off.Load()&offByScript != 0, Halted: r.state.off.Load()&offByHand != 0,
	}
	for _, ref := range r.decl.On {
		st.Points = append(st.Points, ref.Name)
	}
	return st
}

// functionsOf lists the functions that a live script has bound, by line, with what
// all shards counted.
func (e *Engine) functionsOf(path string) []RuleStatus {
	var list []RuleStatus
	for _, s := range e.shards {
		s.Enter()
		for _, st := range s.functionsOf(s.gen.scripts[path]) {
			i := slices.IndexFunc(list, func(have RuleStatus) bool { return have.Line == st.Line })
			if i < 0 {
				list = append(list, st)
				continue
			}
			list[i].RuleStats.add(&st.RuleStats)
			list[i].Suspended = list[i].Suspended || st.Suspended
		}
		s.Leave()
	}
	slices.SortFunc(list, func(a, b RuleStatus) int { return cmp.Compare(a.Line, b.Line) })
	return list
}

// ruleStats sums the rules' counters over the shards.
func (e *Engine) ruleStats() map[ruleKey]RuleStats {
	sums := map[ruleKey]RuleStats{}
	for _, s := range e.shards {
		s.Enter()
		for key, st := range s.rules {
			sum := sums[key]
			sum.add(&st.RuleStats)
			sums[key] = sum
		}
		s.Leave()
	}
	return sums
}

// Emit raises an event given as a pointer to its struct, as [event.Point.Emit]
// does for a caller that knows the point by number only. The caller has entered
// the shard.
func (e *Engine) Emit(s *event.Shard, id event.PointID, ev any) event.Verdict {
	s.Tell()
	return e.shards[s.Index()].Dispatch(s, id, ev)
}
