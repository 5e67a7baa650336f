// Package match is the native form of a rule's match: what an author writes as
// nested tables becomes a [Node], [Compile] checks it against the catalogue and
// turns it into a [Predicate] that decides without entering a script. [Resolve]
// does the same for the single path of a threshold.
//
// Every literal has to fit its field, so what can never match is an error at
// load rather than a rule that stays silent. Conditions on the same object read
// it once, and what is cheap to decide is decided first; getters have no
// effects, so the order changes nothing but the cost.
//
// A value is absent where its field is optional and unset, or where an object
// on the way to it is. No condition holds of what is absent, but those that
// deny something do: none_of, and present(false).
//
// Goroutines: nodes are read only; predicates and paths are immutable and may be
// used by any goroutine that may read the event. Stores that a predicate asks
// answer for their own safety.
package match
