// Package engine runs rules. It takes what scripts declared ([Plan]), binds it
// to hook points, and decides what happens when a stack raises an event: which
// rules see it, in which order, and what their verdicts come to. It publishes
// whole generations, keeps what outlives them (state, stores, thresholds,
// statistics), and suspends what keeps failing.
//
// It knows no stack (they reach it through engine/event and the catalogue) and
// no Lua (a [Runtime] compiles scripts and runs their functions).
//
// Goroutines: [Engine.Stage], [Engine.Publish] and the life-cycle calls belong
// to one controlling goroutine at a time; they enter the shard where they touch
// it. Dispatch runs on whichever goroutine has entered the shard.
package engine
