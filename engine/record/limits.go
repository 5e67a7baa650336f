package record

import (
	"fmt"
	"strconv"
)

// Limits bounds one root. All sizes are in bytes as Root.Size counts them.
type Limits struct {
	Depth int // tables below the root's own table, along one path
	Value int // one assigned value with its key: a string, or a table with all that is in it
	Total int // the whole tree
}

// StateLimits bounds a script's state: 8 levels, 64 KiB a value, 1 MiB in all.
func StateLimits() Limits { return Limits{Depth: 8, Value: 64 << 10, Total: 1 << 20} }

// ConnLimits bounds the data of one connection or transaction and one script:
// 8 levels, 8 KiB in all.
func ConnLimits() Limits { return Limits{Depth: 8, Value: 64 << 10, Total: 8 << 10} }

// What things cost. Chosen near what they take on the heap, so that a limit in
// these bytes is a limit on memory.
const (
	tableCost = 128 // a table, empty
	slotCost  = 24  // a place in the array part
	entryCost = 64  // a key of the hash part
)

// payload is what v costs beside its place; a table's own size is counted
// where the table is.
func (v Value) payload() int {
	if v.kind == KindString {
		return int(v.bits)
	}
	return 0
}

// Reason says why an operation was refused.
type Reason uint8

// The reasons of an Error.
const (
	Full        Reason = iota + 1 // the root would pass Limits.Total
	TooLarge                      // one assignment would pass Limits.Value
	TooDeep                       // tables would nest deeper than Limits.Depth
	Cycle                         // a table that is being copied in contains itself
	BadKey                        // nil, NaN or a table as a key, or next() of a key that is not there
	BadPosition                   // insert outside 1..#t+1
	NotNumber                     // incr of something that is not a number
	ReadOnly                      // the root is frozen
	Discarded                     // the staged view was discarded
)

// Error is what every refused operation returns. Its text is for the author of
// a script and names the record, never this package.
type Error struct {
	Root   string // the root's name: "state", "c.data"
	Reason Reason
	Limit  int    // the limit that was hit, in bytes or levels; 0 if none
	Detail string // what exactly was wrong, may be empty
	Path   string // where inside the assigned value, may be empty
}

// Error says what was refused and which limit it hit.
func (e *Error) Error() string {
	s := e.what()
	if e.Path != "" {
		s += " (at " + e.Path + ")"
	}
	return s
}

func (e *Error) what() string {
	switch e.Reason {
	case Full:
		return e.Root + " is full: " + Bytes(e.Limit)
	case TooLarge:
		return e.Root + ": one value holds at most " + Bytes(e.Limit)
	case TooDeep:
		return fmt.Sprintf("%s: tables nest at most %d deep", e.Root, e.Limit)
	case Cycle:
		return e.Root + ": table contains itself"
	case ReadOnly:
		return e.Root + " is read-only"
	case Discarded:
		return e.Root + ": the generation that held it was discarded"
	}
	return e.Root + ": " + e.Detail
}

// Bytes writes a size as people do: "1 MiB", "8 KiB", "100 B".
func Bytes(n int) string {
	switch {
	case n >= 1<<30 && n%(1<<30) == 0:
		return strconv.Itoa(n>>30) + " GiB"
	case n >= 1<<20 && n%(1<<20) == 0:
		return strconv.Itoa(n>>20) + " MiB"
	case n >= 1<<10 && n%(1<<10) == 0:
		return strconv.Itoa(n>>10) + " KiB"
	}
	return strconv.Itoa(n) + " B"
}
