// Package pattern matches Lua 5.1 patterns against bytes.
//
// A [Pattern] is compiled once into a straight line of instructions: Lua
// patterns have no alternation and repeat single bytes only, so the whole
// state of a match is a position and one frame for each repetition under way.
// That is why matching needs neither recursion nor memory that grows with the
// subject, and why captures never have to be undone: whatever path is taken,
// the instruction that sets a capture runs again before anything reads it.
//
// Like the C original, a malformed pattern is an error only when the match
// gets as far as the malformed part: the compiler turns it into an instruction
// that raises. [Pattern.Err] tells a checker about it beforehand.
//
// One difference from 5.1 is meant: a zero byte in a pattern stands for itself
// (as in 5.2 and later) where 5.1 takes it for the end of the pattern.
//
// Goroutines: a Pattern is immutable and may be shared; [Captures] and [Cache]
// belong to one goroutine at a time.
package pattern
