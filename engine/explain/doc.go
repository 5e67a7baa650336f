// Package explain collects which rule saw which event of a connection, how far
// each came, and what it decided and said.
//
// An [Account] belongs to the goroutine that runs the engine whose steps, events
// and records it is given.
package explain
