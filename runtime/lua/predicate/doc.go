// Package predicate compiles the functions that only decide, `when` of a rule or
// event and the guards that `run` begins with, to Go closures, so that an event
// which they turn away never enters Lua; and handlers that need no machine as a
// whole, because all that they do is to compute and to assign.
//
// It takes the part of the language whose meaning needs no machine: fields of
// what the event passes, pure methods such as d:starts "GET ", constants of the
// script, stores that are looked up, arithmetic, comparisons, and/or/not, locals
// and if. Each comparison is specialised on the type of its field. A compiled
// predicate answers what the function would answer, for every event; where the
// function would raise an error, the predicate answers [engine.Ask], and the
// function is asked. What lies outside of that part is refused with a reason.
//
// A handler is compiled way by way. What it assigns is followed while compiling, so
// that the end of a way knows each variable's last value as an expression of what was
// there when the handler began; all of them are computed, and if none asks, written.
//
// Compiling may happen on any goroutine. A compiled predicate belongs to the
// goroutine that entered its shard; it allocates nothing beyond what the getters
// of copied fields do.
package predicate
