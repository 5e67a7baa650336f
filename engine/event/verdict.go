package event

// VerdictKind numbers a verdict within its family; 0 is "no opinion".
type VerdictKind uint8

// None is the kind of the zero Verdict: the rule decided nothing.
const None VerdictKind = 0

// Verdict is what rules decided at a hook point.
type Verdict struct {
	Kind VerdictKind
	// Failed says, of a verdict that decides nothing, that a rule which could have
	// decided has no say: its handler or filter failed, or it is suspended because
	// they keep failing.
	Failed bool
	// Args are the verdict's arguments where its declaration has some, a pointer
	// to the generated struct (*sipev.ReplyArgs); nil otherwise.
	Args any
}

// HandlerArgs is implemented by arguments of verdicts that name handlers: an argument
// of type handler has the name of the hook point of its family at which the handler is
// bound to the event's subject when the verdict is decided.
type HandlerArgs interface {
	// EachHandler calls do with each that is there.
	EachHandler(do func(point string, handler any))
}

// Decided reports whether the verdict says anything.
func (v Verdict) Decided() bool { return v.Kind != None }

// Combine says how the verdicts of several rules at one point become one.
type Combine uint8

// The ways of combining.
const (
	// Strictest runs all rules and keeps the verdict of the highest rank; the
	// rules' order does not matter to the outcome.
	Strictest Combine = iota
	// First ends at the first rule that decides; later rules do not run,
	// except those declared to run always, which cannot decide.
	First
)

// String returns the declaration's word for c.
func (c Combine) String() string {
	if c == First {
		return "first"
	}
	return "strictest"
}

// VerdictInfo describes one verdict of a family.
type VerdictInfo struct {
	Kind VerdictKind
	Name string // as in Lua behind the family: "drop" of flow.drop
	// Rank orders verdicts where they combine by strictness; higher is stricter.
	Rank int
	Doc  string
	// Routine says that it is what the event is there for, as an answer to a request
	// is: no record of each is written.
	Routine bool
	// Args are the arguments of a verdict that is called
	// (sip.reply(403, "Forbidden")); empty for a plain constant.
	Args []Param
	// Named verdicts take one table of named arguments (sip.relay{ to = … }).
	Named bool
}
