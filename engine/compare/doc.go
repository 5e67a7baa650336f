// Package compare tells what two rule sets decide differently about the same
// traffic. Each set runs in an engine of its own whose sink is a [Side]; whoever
// feeds both engines the same packet, one after the other, then asks
// [Comparison.Step] what differed. Nothing is kept beyond a step but counters, so
// a capture of any size takes the same memory.
//
// What counts is what would have happened: the verdict that holds at a hook point
// for a connection, after all rules were combined, and the alerts. A verdict that
// another rule gives is the same verdict.
//
// A Comparison and its sides belong to one goroutine.
package compare
