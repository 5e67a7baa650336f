// Package lua runs scripts for the engine: it implements [engine.Runtime] on the
// machine of package vm. A script is parsed and checked by source and analyse,
// rewritten by normalise, and its top level runs in a machine of its own, where
// it declares rules, events, timers and stores. What handlers see of the stacks
// is package bind's, what they may keep is engine/record and engine/store.
//
// One script on one shard is one machine, so an endless recursion or a poisoned
// state is nobody else's.
//
// Goroutines: a [Runtime] and its programs may be used from any goroutine; an
// instance belongs to the goroutine that entered its shard.
package lua
