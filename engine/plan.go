package engine

import (
	"time"

	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/match"
)

// Plan is all that one script declared at its top level, as it wrote it: names
// are not resolved, paths not checked. The engine does both when it stages a
// generation, because a script may name what another one declares.
type Plan struct {
	Script ScriptDecl
	Rules  []*RuleDecl
	Events []*EventDecl
	Timers []*TimerDecl
	// Fixtures are what stacks keep up for the script.
	Fixtures []Fixture
	// Requires are the looks for modules, by the script and by its modules.
	Requires []Require
	// Files are the data files that the script and its modules read. Those that
	// fill stores are not among them.
	Files []DataUse
	// PerShard says, each at its place, what the functions of the script and its
	// modules keep in the machine they run in: on several shards each has its own.
	PerShard diag.List
	// Seed is what the random numbers of handlers begin with.
	Seed uint64
}

// ScriptDecl is what `script { … }` says of the file.
type ScriptDecl struct {
	Line         int
	Doc          string
	Tags         []string
	StateVersion int    // 0 where none is given
	Migrate      FuncID // called with the old state when the version grew
	// EachShard: the script knows that every shard has its own globals and upvalues.
	EachShard bool
}

// PointRef names a hook point or a user-defined event: "flow.rexmit",
// "flow.rexmit.rcv", "event.http_get", "event.http_get.snd".
type PointRef struct {
	Name string
	Line int
}

// VerdictDecl is a verdict that a rule names.
type VerdictDecl struct {
	Decision
	Line int
}

// RuleDecl is a rule.
type RuleDecl struct {
	Name      string
	Line      int
	On        []PointRef
	Scope     string
	ScopeLine int
	Match     *match.Node
	When      FuncID
	// NativeWhen makes what decides in the place of When, and Guard what says no
	// to the events on which Run would return nothing and do nothing. Both may be
	// nil.
	NativeWhen NativeMaker
	Threshold  *ThresholdDecl
	Run        FuncID
	Guard      NativeMaker
	// Deed makes what does all that Run does, and takes the place of Guard too unless it
	// decides: then Guard turns away more cheaply what it does not decide on. It is nil, or
	// makes nothing, where that needs the script's machine.
	Deed DeedMaker
	// Explain says, one line each, how the rule's functions run on the events of
	// info; nil where there is nothing to say.
	Explain  func(info *event.Info) []string
	Verdict  *VerdictDecl
	OnError  *VerdictDecl
	Overlap  *OverlapDecl // nil: the rule wants nothing of overlaps
	Priority int
	Observe  bool
	Always   bool
	Disabled bool
	// Handler: it runs only where it is bound. Without hook points it is for
	// timers.
	Handler  bool
	Doc      string
	Severity string
	Tags     []string

	// waits is whether Run may wait, once that was asked: it is asked while the script is
	// staged, since a machine that is live is not looked into from outside of its shard.
	waits, asked bool
}

// mayWait reports whether the rule's function may wait.
func (d *RuleDecl) mayWait(in Instance) bool {
	if !d.asked {
		d.waits, d.asked = d.Run != 0 && in.MayWait(d.Run), true
	}
	return d.waits
}

// ThresholdDecl is `threshold = { by, count, within, fire }`.
type ThresholdDecl struct {
	Line   int
	By     []string // path; empty counts all together
	Count  int
	Within time.Duration
	Fire   string // "", "once" or "each"
}

// EventDecl is `event "name" { on, match, when }`.
type EventDecl struct {
	Name  string
	Line  int
	On    *PointRef // nil: it is only ever raised
	Match *match.Node
	When  FuncID
	// NativeWhen and Explain are as for rules.
	NativeWhen NativeMaker
	Explain    func(info *event.Info) []string
	Doc        string
}

// TimerDecl is `timer "name" { every | after, run }`.
type TimerDecl struct {
	Name  string
	Line  int
	Every time.Duration // 0: it runs once
	After time.Duration // to the first run; Every where 0
	Run   FuncID
}

// Join makes one verdict of two of the same kind and with arguments, of which
// kept was decided first.
type Join func(kept, further event.Verdict) event.Verdict

// Scope compiles what a connection's own key decides, for one family. The
// predicate receives the event's subject.
type Scope func(expr string) (func(subject any) bool, error)
