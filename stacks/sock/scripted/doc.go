// Package scripted is what scripts see of TCP connections that are taken and restored:
// the sock family's objects, functions and hook points, over package sock.
//
// A move runs in a goroutine of its own. It enters the shard before packets are
// blocked and leaves it when the connection is closed, or goes on: handlers run in
// between, no reload comes in between, and what else the shard does waits. Handlers of
// one blackout have [Budget] together; what comes after it is spent is not raised ([Stats]).
//
// Goroutines: methods want the shard entered. [Stack.Close] waits for what is under way.
package scripted
