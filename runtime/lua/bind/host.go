package bind

import (
	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine/event"
)

// Host is what the glue needs of the VM it runs in. The runtime implements it,
// one a VM.
type Host interface {
	// Object returns the userdata that stands for o; nil becomes LNil. Kept
	// objects have one userdata for life, so that == and table keys work.
	Object(t TypeID, o any) lua.LValue
	// Live returns the object of type t that v stands for. The error says why
	// not: "flow.conn expected, got nil", "lent: its handler returned; copy what
	// you need"; an [EndedError] for one that ended.
	Live(v lua.LValue, t TypeID) (any, error)
	// Data returns the calling script's own record of o: c.data.
	Data(L *lua.LState, o event.Kept) lua.LValue
	// Caller says who calls; it is lent for the duration of the call.
	Caller(L *lua.LState) *event.Caller
	// Effect raises a Lua error where effects are not allowed (at top level, in
	// filters); what names the method, function or field.
	Effect(L *lua.LState, what string)
	// Does reports whether an effect on what others have too is to be done, which
	// what names. It is not where the script is only tried, beside what is live: the
	// host notes it, and the call counts as having succeeded.
	Does(what string) bool
	// Plain returns the plain data that a userdata stands for: a kept object
	// itself, the content of a record. The error says why there is none.
	Plain(ud *lua.LUserData) (any, error)
	// Handler returns what a stack holds of a handler: v is a function or a
	// handler's name.
	Handler(L *lua.LState, v lua.LValue) (any, error)
	// Wait calls start and suspends the running call until done was called, with
	// what the call shall return. done is called once, with the shard entered,
	// perhaps before start returns; while start runs, the caller that [Host.Caller]
	// returns has a Waiter. what names the function. It raises a Lua error where
	// waiting is not allowed, before start is called.
	Wait(L *lua.LState, what string, start func(done func(results ...lua.LValue))) int
}

// EndedError says that an object which scripts keep has ended.
type EndedError struct {
	Label string // what it is called, such as "connection 17"
}

// Error implements error.
func (e *EndedError) Error() string { return e.Label + " ended" }

// TypeID numbers the object types of a build, from 0: the index into [Objects].
type TypeID int

// Method is the body of a method. Its object is argument 1.
type Method func(h Host, L *lua.LState) int

// ObjectType is what Lua can do with the objects of a type.
type ObjectType struct {
	ID   TypeID
	Info *event.Object
	// Index reads a field; false if there is none of that name. It raises a Lua
	// error if the object ended and the field did not outlive it.
	Index func(h Host, L *lua.LState, o any, key string) (lua.LValue, bool)
	// Push pushes fields, by their places in the object's declaration, as Index
	// would return them. The object is there and has not ended; the fields are
	// plain values, made by values.
	Push func(L *lua.LState, o any, fields []uint8, values *Values)
	// SetIndex assigns a field; false if there is no writable one of that name.
	// It raises a Lua error if the value does not fit or is refused. Nil where
	// the type has no writable fields.
	SetIndex func(h Host, L *lua.LState, o any, key string, v lua.LValue) bool
	// Methods are the bodies by name.
	Methods map[string]Method
}

// EventType is what Lua sees of an event.
type EventType struct {
	Info *event.Info
	// Args appends what handlers receive, in order.
	Args func(h Host, L *lua.LState, e any, dst []lua.LValue) []lua.LValue
	// This reads one of the event's other fields; false if there is none of that
	// name. What this has at every hook point is not among them.
	This func(h Host, L *lua.LState, e any, key string) (lua.LValue, bool)
	// Near are the objects that the event leads to in one step or two, as scripts
	// write them: "c.client". Push pushes fields of them as [ObjectType.Push] does,
	// group by group; false where a script would get an error, because an object is not
	// there or has ended: it ends with the groups before that on the stack. Read appends
	// them to a list.
	Near []string
	Push func(L *lua.LState, e any, groups []Group, values *Values) bool
	Read func(dst []lua.LValue, e any, groups []Group, values *Values) ([]lua.LValue, bool)
	// Numbers appends such fields as the numbers that they are; those that are none,
	// or may be nil, it leaves out.
	Numbers func(dst []float64, e any, groups []Group) ([]float64, bool)
}

// Group is fields of one object that an event leads to.
type Group struct {
	Near   uint8 // the object's place in [EventType.Near]
	Alive  bool  // the object must not have ended
	Fields []uint8
}

// Function is a function that scripts can call.
type Function struct {
	Info *event.Function
	Call func(h Host, L *lua.LState) int
}

// Verdict is a verdict that scripts can return.
type Verdict struct {
	Family string
	Info   *event.VerdictInfo
	// Args reads the arguments of a verdict that is called and returns what
	// event.Verdict.Args holds; nil for one that is a plain constant.
	Args func(h Host, L *lua.LState) any
}
