package event

import "slices"

// Kept is what every kept object implements: a connection, a transaction.
type Kept interface {
	// ID returns the object's number, unique within its family for the life of
	// the process, from 1.
	ID() uint64
	// Label returns the words an error message uses: "connection 17".
	Label() string
	// Ended reports whether what the object stands for is over. Its id and
	// addresses remain readable, the rest does not.
	Ended() bool
	// Slots returns the place where engine and runtimes hang their own data.
	Slots() *Slots
}

// Slots holds what others attach to an object, by key. The zero value is empty
// and costs nothing; a stack may recycle an object only while Used is false.
// It belongs to the object's shard.
type Slots struct{ list []slot }

type slot struct{ key, value any }

// Used reports whether anything is attached.
func (s *Slots) Used() bool { return len(s.list) != 0 }

// Get returns what was attached under key, or nil.
func (s *Slots) Get(key any) any {
	for i := range s.list {
		if s.list[i].key == key {
			return s.list[i].value
		}
	}
	return nil
}

// Set attaches value under key; nil takes it away.
func (s *Slots) Set(key, value any) {
	for i := range s.list {
		if s.list[i].key != key {
			continue
		}
		if value == nil {
			s.list = append(s.list[:i], s.list[i+1:]...)
		} else {
			s.list[i].value = value
		}
		return
	}
	if value != nil {
		s.list = append(s.list, slot{key, value})
	}
}

// Drop takes away what which selects.
func (s *Slots) Drop(which func(key, value any) bool) {
	s.list = slices.DeleteFunc(s.list, func(x slot) bool { return which(x.key, x.value) })
}

// Ender is what may be attached to an object to hear of its end.
type Ender interface {
	// ObjectEnded is called once, when handlers have seen the end.
	ObjectEnded()
}

// End tells what is attached that the object ended. The stack calls it when the
// handlers of the last event have returned and [Kept].Ended says so.
func (s *Slots) End() {
	for i := range s.list {
		if e, ok := s.list[i].value.(Ender); ok {
			e.ObjectEnded()
		}
	}
}

// Caller says who called a function or method: what records, limits and
// permissions go by. It is lent for the duration of the call.
type Caller struct {
	Shard  *Shard
	Script string // path of the script
	Rule   string // name of the rule, handler or timer; empty at top level
	// Line is the line of the call in the script, 0 where unknown; where Lines is set,
	// ask [Caller.At] instead.
	Line int
	// Lines finds it while the call lasts: few calls want to know, and it takes longer
	// than most of them.
	Lines Lines
	Gen   uint64 // generation that the script belongs to
	Point string // hook point being handled; empty outside handlers
	// Event is the event being handled, nil outside handlers.
	Event any
	// Observe: what the rule decides is recorded, not done. Calls that decide, as verdicts do, follow.
	Observe bool
	// Shadow numbers the trial that the script runs in, beside what is live; 0: it
	// is live. What has results keeps what it changes for a trial apart.
	Shadow uint64
	// Waiter is who waits for the operation that is being started; nil where the
	// function does not wait.
	Waiter *Waiter
}

// Lines knows the line of the running call.
type Lines interface{ CallLine() int }

// At returns the line of the call in the script; 0 where unknown.
func (c *Caller) At() int {
	if c.Line == 0 && c.Lines != nil {
		c.Line = c.Lines.CallLine()
	}
	return c.Line
}

// Blamed is a kept object whose family tells of handlers that fail.
type Blamed interface {
	Kept
	// HandlerFailed says that a handler of an event about the object failed or overran
	// its budget: at which point, 0 for one of its timers, and why. It is called in the
	// object's shard, perhaps while a handler runs, and once the failure is recorded.
	HandlerFailed(at PointID, message string)
}

// KV is one named value of a log line or alert.
type KV struct {
	Key string
	// Value is nil, bool, float64, string, a Kept object, []any of those, or []KV.
	Value any
}

// Away is what a handle on an object of another shard implements. What it shows
// is what was when the object was looked for.
type Away interface {
	Kept
	// Home returns the object's shard, and the object, which is to be used there
	// or by [Shard.Look].
	Home() (*Shard, Kept)
}
