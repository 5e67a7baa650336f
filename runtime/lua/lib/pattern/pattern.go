package pattern

import "errors"

const (
	// MaxCaptures is the greatest number of captures in a pattern
	// (LUA_MAXCAPTURES of PUC Lua 5.1).
	MaxCaptures = 32
	// MaxRepeats is the greatest number of repeated items (* + - ?) in a
	// pattern. PUC Lua 5.1 recurses on the C stack for each and has no limit;
	// 5.2 and later stop at about as many.
	MaxRepeats = 200
)

// ErrBudget reports that a [Countdown] reached its end during a match.
var ErrBudget = errors.New("pattern: step budget used up")

// ErrCaptureIndex reports a capture that the pattern does not have.
var ErrCaptureIndex = errors.New("invalid capture index")

// ErrUnfinished reports a capture that the pattern opens and never closes.
var ErrUnfinished = errors.New("unfinished capture")

// SyntaxError is a defect of a pattern. Its text is PUC Lua 5.1's.
type SyntaxError struct {
	Msg    string // what is wrong, as PUC Lua says it
	Offset int    // where in the pattern, in bytes from 0
}

// Error returns the message alone.
func (e *SyntaxError) Error() string { return e.Msg }

// Pattern is a compiled Lua pattern. It is immutable.
type Pattern struct {
	prog     []inst
	slots    []slotKind
	repeats  int
	anchored bool
	prefix   string   // every match starts with it
	must     string   // every match holds it; empty when prefix says it all
	first    *byteSet // every match starts with one of these; nil when it may be empty
	firstOne int      // the only member of first, or -1
	lead     *inst    // the repetition that every match starts with, if skipping by it is sound
	err      *SyntaxError
}

// Compile returns the pattern of string.find, match and gsub, in which a ^ at
// the beginning anchors the match. It never fails: see [Pattern.Err].
func Compile(src string) *Pattern {
	if src != "" && src[0] == '^' {
		p := compile(src, 1)
		p.anchored = true
		return p
	}
	return compile(src, 0)
}

// CompileIterated returns the pattern of string.gmatch, in which a ^ at the
// beginning stands for itself, as in 5.1.
func CompileIterated(src string) *Pattern { return compile(src, 0) }

// Err returns the *[SyntaxError] of a malformed pattern, else nil. A match
// returns it only when it gets as far as the malformed part.
func (p *Pattern) Err() error {
	if p.err == nil {
		return nil
	}
	return p.err
}

// Anchored reports whether the pattern matches at its starting point only.
func (p *Pattern) Anchored() bool { return p.anchored }

// Captures returns the number of captures in the pattern, 0 to [MaxCaptures].
func (p *Pattern) Captures() int { return len(p.slots) }

// HasSpecials reports whether s has a byte that means something in a pattern.
// string.find searches for a string without them as it is.
func HasSpecials(s string) bool {
	for i := range len(s) {
		switch s[i] {
		case '^', '$', '*', '+', '?', '.', '(', '[', '%', '-':
			return true
		}
	}
	return false
}
