// Package inspect is what a person sees of a running engine, and the little that
// one may change by hand: rules with their counters, events as they happen, the
// stores. It answers requests of engine/control, and may be asked directly.
//
// Any goroutine may call it, having entered no shard. A [Trace] and a running
// GET /top own one goroutine each, which their end waits for.
package inspect
