package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/record"
	"github.com/hookd/hookd/engine/store"
)

// Source is the text of one script.
type Source struct {
	// Path is relative to the root it was found under, with forward slashes; it
	// identifies the script over its reloads.
	Path string
	Text []byte
	// Module names a module, which scripts require and which declares nothing;
	// empty for a script. Base is the folder below which it is found.
	Module, Base string
	// File is where it was read, if that is another path than Path. Root is the
	// folder that was given and holds it and its data files; empty: its own.
	File, Root string
}

// Runtime turns scripts into programs. The Lua runtime implements it.
type Runtime interface {
	// Compile parses and checks a script without running it. Warnings come with
	// a program, errors without.
	Compile(src Source) (Program, diag.List)
	// CompileModule does the same for a module. What it returns is kept with the
	// module, for the runtime alone; it is shared by all that require it.
	CompileModule(src Source) (any, diag.List)
}

// Program is a compiled script. It is immutable and may be staged many times.
type Program interface {
	// Stage runs the script's top level in a VM of its own, which changes
	// nothing that is live, and returns the VM and what was declared.
	Stage(env *Env) (Instance, *Plan, diag.List)
}

// FuncID numbers a function of an instance; 0 is none.
type FuncID int

// Instance is one VM of one script, used by the goroutine that entered its
// shard.
type Instance interface {
	// Filter calls a function that decides only yes or no; effects raise.
	Filter(fn FuncID, call *Call) (bool, error)
	// Run calls a handler and returns what it decided, nil for nothing. The
	// decision is lent until the next call. Errors are [*ScriptError].
	Run(fn FuncID, call *Call) (*Decision, error)
	// Start calls a handler that may wait. ended is called once, in the shard, when
	// nothing of the handler runs any more: before Start returns, which then returns
	// nil, or when what it waited for was there.
	Start(fn FuncID, call *Call, ended func(Decision, error)) Suspended
	// MayWait reports whether a call of the function can wait. What cannot is called
	// by Run everywhere.
	MayWait(fn FuncID) bool
	// Waiting returns how many calls and coroutines wait.
	Waiting() int
	// CancelWaits ends all of them. The errors that their handlers end with wrap
	// cause.
	CancelWaits(cause error)
	// Release lets go of a function that was bound while a handler ran. Nothing
	// of the instance runs at the moment.
	Release(fn FuncID)
	// Close releases the VM. What waits in it is canceled.
	Close()
}

// Suspended is a handler that waits.
type Suspended interface {
	// Cancel ends it: it runs no further instruction, and ended is told an error
	// that wraps cause. It does nothing to one that ended.
	Cancel(cause error)
}

// Decision is a verdict together with the family it belongs to; the zero
// Decision is "no opinion".
type Decision struct {
	Family *event.Family
	event.Verdict
	// Off: the handler unbinds itself from the object it was called for.
	Off bool
}

// Env is what an instance may use of the engine, while it is staged and after.
type Env struct {
	Shard *event.Shard
	// Path identifies the script.
	Path string
	// Gen is the generation that the instance was staged for.
	Gen uint64
	// Loaded is event time while the top level runs: the shard's clock, which
	// others move meanwhile, is not asked then.
	Loaded int64
	// Again: another shard's instance ran the same top level before, with the same
	// Stores and State. What it did to the state is done.
	Again bool
	// Stores takes declarations while the top level runs; nil afterwards.
	Stores *store.Staging
	// Modules are those of the generation that the instance was staged for.
	Modules *Modules
	// Data reads a data file while the top level runs, nil afterwards; from is the path
	// of the script or module that names it.
	Data func(from, name string) (*Data, error)
	// State is the script's own record. While the instance is staged, reads see
	// live values and writes wait for the publish.
	State *record.Root
	// Serials number what has no text of its own, once the top level ran: for all
	// shards of the script; nil: the instance numbers for itself.
	Serials *atomic.Uint64
	// Services are the engine's functions.
	Services Services
}

// Services are what handlers call back into the engine for.
type Services interface {
	// Data returns the script's record of a kept object, made on first use.
	Data(o event.Kept, script string) *record.Root
	// Random returns the numbers that are the script's own for what the call is
	// about; reseed says from where they go on.
	Random(call *Call, script string) *rand.PCG
	// Raise queues the user-defined event; it is delivered when the running
	// handler has returned. payload is plain data.
	Raise(call *Call, name string, payload any) error
	// Later calls run when no handler runs: at once where that is so now, else
	// behind the running one. What run causes is delivered behind it.
	Later(run func())
	// Failed reports the failure of what call started in an instance and did not
	// wait for.
	Failed(in Instance, call *Call, err error)
	// Bind makes a handler run at a hook point of one object, in the place of
	// what the script has bound there.
	Bind(call *Call, at *Attachment, point string, h *Handler) error
	// Unbind ends what the script has bound at a hook point of one object.
	Unbind(call *Call, at *Attachment, point string) error
	// Delay runs a handler once after a time, or again and again.
	Delay(call *Call, at *Attachment, after time.Duration, repeat bool, h *Handler) error
	// Cancel ends the script's timer on an object that runs the named handler.
	Cancel(call *Call, at *Attachment, name string) error
	// Switch turns one of the script's rules on or off.
	Switch(call *Call, name string, on bool) error
}

// Attachment is an object that handlers are bound to; nil stands for none.
type Attachment struct {
	Object event.Kept
	Type   string // "flow.conn"
}

// Handler is what is bound: a declared handler by its name, or a function.
type Handler struct {
	Name string
	// Instance has the function Func, which was made at Line; only without Name.
	// It is the engine's from a call that returned no error until
	// [Instance.Release].
	Instance Instance
	Func     FuncID
	Line     int
	// Param is plain data that the handler finds in its call.
	Param any
}

// String is the handler's name; a function has none.
func (h *Handler) String() string {
	if h.Name == "" {
		return "a function"
	}
	return h.Name
}

// Call describes the handler call in progress: what scripts read as `this`. It
// is lent: the engine refills it for the next one.
type Call struct {
	event.Caller
	Info  *event.Info      // nil for timers
	Where *event.PointInfo // nil for timers
	// User names the user-defined event that the rule is bound to, if it is.
	User string
	// Count is how often the rule matched, this time included; [Call.Matches] says it
	// where shards are driven apart, too.
	Count uint64
	// Verdict is what earlier rules decided at this point.
	Verdict event.Verdict
	// Payload is the plain data that came with a raised event.
	Payload any
	// Param is the plain data that the handler was bound with.
	Param any
	// Object is what the running timer belongs to, of type Type; nil elsewhere.
	Object event.Kept
	Type   string

	counted *tally // in the place of Count, where that is dear
}

// Matches returns how often the rule matched, this time included. Where shards are
// driven apart, others go on counting meanwhile.
func (c *Call) Matches() uint64 {
	if c.counted != nil {
		return c.counted.count()
	}
	return c.Count
}

// ScriptError is a script's failure at run time.
type ScriptError struct {
	Script    string
	File      string // that Line is in: a module's path; empty: the script's
	Line      int    // 0 where unknown
	Message   string
	Traceback string // may be empty
	// Overrun: the handler used up its budget of instructions.
	Overrun bool
	// Poisoned: the VM had to be rebuilt; globals and upvalues are as after load.
	Poisoned bool
}

// Error returns the message with file and line.
func (e *ScriptError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.Script, e.Message)
	}
	return fmt.Sprintf("%s:%d: %s", e.In(), e.Line, e.Message)
}

// In returns the path of the file that the line is in.
func (e *ScriptError) In() string {
	if e.File != "" {
		return e.File
	}
	return e.Script
}

// asScriptError makes a ScriptError of whatever a runtime returned.
func asScriptError(err error, script string) *ScriptError {
	var se *ScriptError
	if errors.As(err, &se) {
		return se
	}
	return &ScriptError{Script: script, Message: err.Error()}
}
