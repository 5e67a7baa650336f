// Package store owns the named tables that all scripts and shards share: sets,
// maps and counters with typed keys, times to live, limits and counts of what
// was refused.
//
// A Registry keeps the stores across generations. A generation declares its
// stores in a Staging, and Publish makes them hold, whole. Time is event time,
// in nanoseconds, read from the registry's Clock; the wall clock is never
// asked, so that a replay expires what the live run expired.
//
// Goroutines: a Store and a Registry may be used from any goroutine. A Staging
// belongs to the goroutine that loads the generation, a Cursor to the one that
// walks. A store's lock is held for one operation at a time and never while
// code of a caller runs. A registry may lock a store, never the reverse.
package store
