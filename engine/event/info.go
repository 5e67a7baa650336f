package event

// Waits says whether a handler may wait (sleep, look up, read) at a hook.
type Waits uint8

// Waiting.
const (
	WaitsNo      Waits = iota
	WaitsSuspend       // the transaction or connection waits, the shard does not
)

// PointInfo describes one hook point of an event.
type PointInfo struct {
	ID    PointID
	Phase string // "snd", "rcv", ...; empty where the event has no phases
	Name  string // "flow.rexmit.rcv"
	Doc   string
}

// Info is an event's catalogue row.
type Info struct {
	Family string // "flow"
	Name   string // "flow.rexmit"
	Doc    string // when it fires
	// Points are the event's hook points, the default phase first.
	Points []PointInfo
	// Aliases are further phase words that name the only point
	// (flow.conn_end.snd).
	Aliases []string
	// Args name the fields that a handler receives, in order; the first, where
	// it is an object, is the subject that match paths start at. The other
	// fields are read through this.
	Args     []string
	Fields   []Field
	Verdicts []VerdictKind
	Combine  Combine
	Waits    Waits
	// Global: it is the first event of its subject, so that nothing can have been bound
	// to that.
	Global  bool
	Since   string
	Example string
	// New returns a pointer to a zero event struct.
	New func() any
	// Clone copies the event behind e, a pointer, into a new one.
	Clone func(e any) any
	// AppendJSON appends the event's record fields, each preceded by a comma:
	// ,"conn":17,"reason":"fin"
	AppendJSON func(b []byte, e any) []byte
}

// Default returns the point that the bare event name means.
func (i *Info) Default() *PointInfo { return &i.Points[0] }

// Field returns the event's field of that name, or nil.
func (i *Info) Field(name string) *Field { return findField(i.Fields, name) }

// Subject returns the field that match paths start at: the first argument where
// it is an object; nil otherwise.
func (i *Info) Subject() *Field {
	if len(i.Args) == 0 {
		return nil
	}
	f := i.Field(i.Args[0])
	if f == nil || f.Type.Kind != ObjectRef {
		return nil
	}
	return f
}

// Object is the catalogue row of something that handlers receive.
type Object struct {
	Name string // "flow.conn"
	Doc  string
	// Kept objects live as long as what they stand for and implement [Kept];
	// the others are lent: they mean nothing once the handler returned.
	Kept    bool
	Fields  []Field
	Methods []Method
	Since   string
}

// Field returns the object's field of that name, or nil.
func (o *Object) Field(name string) *Field { return findField(o.Fields, name) }

// Method returns the object's method of that name, or nil.
func (o *Object) Method(name string) *Method {
	for i := range o.Methods {
		if o.Methods[i].Name == name {
			return &o.Methods[i]
		}
	}
	return nil
}

// Method describes a method of an object.
type Method struct {
	Name    string
	Doc     string
	Args    []Param
	Named   bool // takes one table of named arguments
	Results []Param
	Effects bool // changes something: not allowed in filters
	Waits   bool
	// Native: the runtime has the body; it binds handlers.
	Native  bool
	Since   string
	Example string
}

// Function describes a function of a family: flow.find, log.info, alert.
type Function struct {
	// Name is what Lua calls it: "alert", "log.info", "flow.find".
	Name    string
	Doc     string
	Args    []Param
	Named   bool // takes one table of named arguments
	Results []Param
	Effects bool // changes something: not allowed at top level or in filters
	Waits   bool
	// Native: the runtime has the body, not a stack or the engine.
	Native bool
	// Fails: nil and a message come back where it fails; so they do of what has
	// effects or waits.
	Fails   bool
	Since   string
	Example string
}

// Value describes a constant of a table of functions: json.null.
type Value struct {
	Name    string
	Doc     string
	Since   string
	Example string
}

// Family is all that one stack declares.
type Family struct {
	Name      string
	Doc       string
	Events    []*Info
	Objects   []*Object
	Functions []*Function
	Values    []*Value
	Verdicts  []VerdictInfo
}

// Verdict returns the family's verdict of that kind, or nil.
func (f *Family) Verdict(k VerdictKind) *VerdictInfo {
	for i := range f.Verdicts {
		if f.Verdicts[i].Kind == k {
			return &f.Verdicts[i]
		}
	}
	return nil
}

func findField(fields []Field, name string) *Field {
	for i := range fields {
		if fields[i].Name == name {
			return &fields[i]
		}
	}
	return nil
}
