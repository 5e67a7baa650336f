package model

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/hookd/hookd/engine/event"
)

// Spec is all that was declared, families sorted by name.
type Spec struct {
	Families []*Family
}

// Pos is where a declaration stands.
type Pos struct {
	File string // base name of the file
	Line int
}

// String returns "flow.yaml:12".
func (p Pos) String() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

// Family is one file: what one stack declares.
type Family struct {
	At        Pos         `yaml:"-"`
	Name      string      `yaml:"family"`
	Doc       string      `yaml:"doc"`
	Enums     []*Enum     `yaml:"enums"`
	Verdicts  []*Verdict  `yaml:"verdicts"`
	Objects   []*Object   `yaml:"objects"`
	Functions []*Function `yaml:"functions"`
	Values    []*Value    `yaml:"values"`
	Events    []*Event    `yaml:"events"`
}

// Enum is a set of words.
type Enum struct {
	At     Pos      `yaml:"-"`
	Family *Family  `yaml:"-"`
	Name   string   `yaml:"name"`
	Doc    string   `yaml:"doc"`
	Names  []string `yaml:"names"`
}

// Verdict is something that rules may decide.
type Verdict struct {
	At   Pos    `yaml:"-"`
	Name string `yaml:"name"`
	Rank int    `yaml:"rank"`
	// Routine verdicts are what the event is there for.
	Routine bool     `yaml:"routine"`
	Doc     string   `yaml:"doc"`
	Args    []*Param `yaml:"args"`
	// Named verdicts are called with one table of named arguments.
	Named bool `yaml:"named"`
}

// Object is something that handlers receive or hold.
type Object struct {
	At     Pos     `yaml:"-"`
	Family *Family `yaml:"-"`
	Name   string  `yaml:"name"`
	Life   string  `yaml:"life"`
	Since  string  `yaml:"since"`
	Doc    string  `yaml:"doc"`

	Fields     []*Field    `yaml:"fields"`
	RecordNode yaml.Node   `yaml:"record"`
	Record     []*Key      `yaml:"-"`
	Methods    []*Function `yaml:"methods"`
}

// Kept reports whether the object outlives the handler that gets it.
func (o *Object) Kept() bool { return o.Life == "kept" }

// Field returns the field of that name, or nil.
func (o *Object) Field(name string) *Field { return findField(o.Fields, name) }

// Field is a field of an object or event.
type Field struct {
	At       Pos    `yaml:"-"`
	Name     string `yaml:"name"`
	TypeWord string `yaml:"type"`
	Type     Type   `yaml:"-"`
	Doc      string `yaml:"doc"`
	Unit     string `yaml:"unit"`
	Valid    string `yaml:"valid"`
	Stable   string `yaml:"stable"`
	Cost     string `yaml:"cost"`
	Optional bool   `yaml:"optional"`
	Writable bool   `yaml:"writable"`
	AfterEnd bool   `yaml:"after_end"`
	// Declared is the function that declares what a value is the name of.
	Declared string `yaml:"declared"`
}

// Function is a method of an object or a function of a family.
type Function struct {
	At      Pos      `yaml:"-"`
	Name    string   `yaml:"name"`
	Since   string   `yaml:"since"`
	Doc     string   `yaml:"doc"`
	Args    []*Param `yaml:"args"`
	Named   bool     `yaml:"named"`
	Results []*Param `yaml:"results"`
	Effects bool     `yaml:"effects"`
	Waits   bool     `yaml:"waits"`
	// Body says who has the body: "" the Go interface of the family, "lua" the
	// runtime itself, by hand.
	Body    string `yaml:"body"`
	Fails   bool   `yaml:"fails"`
	Example string `yaml:"example"`
}

// Native reports whether the runtime has the body, so that there is neither Go
// interface nor glue.
func (fn *Function) Native() bool { return fn.Body == "lua" }

// MayFail reports whether scripts may get nil and a message.
func (fn *Function) MayFail() bool { return fn.Effects || fn.Waits || fn.Fails }

// Value is a constant of a table of functions; the runtime has it by hand.
type Value struct {
	At      Pos    `yaml:"-"`
	Name    string `yaml:"name"`
	Since   string `yaml:"since"`
	Doc     string `yaml:"doc"`
	Example string `yaml:"example"`
}

// Param is an argument or result.
type Param struct {
	At       Pos    `yaml:"-"`
	Name     string `yaml:"name"`
	TypeWord string `yaml:"type"`
	Type     Type   `yaml:"-"`
	Doc      string `yaml:"doc"`
	Optional bool   `yaml:"optional"`
	// Front is an optional first argument before one other optional one: a single argument is the other.
	Front bool `yaml:"front"`
	// Rest parameters may come any number of times; only the last one is.
	Rest bool `yaml:"rest"`
	// Or names an object that may be given in the place of plain data.
	Or     string `yaml:"or"`
	OrType Type   `yaml:"-"`
}

// Event is something that happens in a stack.
type Event struct {
	At      Pos      `yaml:"-"`
	Family  *Family  `yaml:"-"`
	Name    string   `yaml:"name"`
	Since   string   `yaml:"since"`
	When    string   `yaml:"when"`
	Phases  []*Phase `yaml:"phases"`
	Aliases []string `yaml:"aliases"`
	Args    []string `yaml:"args"`

	Fields     []*Field  `yaml:"fields"`
	RecordNode yaml.Node `yaml:"record"`
	Record     []*Key    `yaml:"-"`
	Verdicts   []string  `yaml:"verdicts"`
	Combine    string    `yaml:"combine"`
	Waits      string    `yaml:"waits"`
	Global     bool      `yaml:"global"`
	Example    string    `yaml:"example"`
	// FirstPoint is the id of the event's first hook point; the others follow.
	FirstPoint event.PointID `yaml:"-"`
}

// Full returns the event's name with its family: "flow.rexmit".
func (e *Event) Full() string { return e.Family.Name + "." + e.Name }

// Field returns the event's field of that name, or nil.
func (e *Event) Field(name string) *Field { return findField(e.Fields, name) }

// Points returns how many hook points the event has.
func (e *Event) Points() int { return max(1, len(e.Phases)) }

// ArgFields returns the fields that handlers receive, in order.
func (e *Event) ArgFields() []*Field {
	var list []*Field
	for _, name := range e.Args {
		list = append(list, e.Field(name))
	}
	return list
}

// OwnFields returns the fields that handlers read through this.
func (e *Event) OwnFields() []*Field {
	var list []*Field
	for _, f := range e.Fields {
		if !e.IsArg(f.Name) {
			list = append(list, f)
		}
	}
	return list
}

// IsArg reports whether handlers receive the field of that name as an argument.
func (e *Event) IsArg(name string) bool {
	for _, arg := range e.Args {
		if arg == name {
			return true
		}
	}
	return false
}

// Phase is one of an event's hook points.
type Phase struct {
	At   Pos    `yaml:"-"`
	Name string `yaml:"name"`
	Doc  string `yaml:"doc"`
}

// Key is one key of a JSON record and the path that its value is read by: from
// the object, or from the event.
type Key struct {
	At   Pos
	Name string
	Path []*Field
}

// Leaf returns the field that holds the key's value.
func (k *Key) Leaf() *Field { return k.Path[len(k.Path)-1] }

// Optional reports whether a record may lack the key.
func (k *Key) Optional() bool {
	for _, f := range k.Path {
		if f.Optional {
			return true
		}
	}
	return false
}

// Type is a resolved type.
type Type struct {
	Kind   event.Kind
	Bits   uint8
	Enum   *Enum   // of event.Enum
	Object *Object // of event.ObjectRef
}

// Counts reports whether Go's zero value of t is as good as any other, so that
// an optional argument of t goes with a bool that says whether it is given. That
// is so of numbers and enums; any other absent argument is the zero value.
func (t Type) Counts() bool {
	switch t.Kind {
	case event.Uint, event.Int, event.Float, event.Time, event.Duration, event.Size, event.Enum:
		return true
	}
	return false
}

func findField(list []*Field, name string) *Field {
	for _, f := range list {
		if f.Name == name {
			return f
		}
	}
	return nil
}
