// Package console is a place to sit in and work: it evaluates what somebody types
// in a running engine, looks into its scripts, lets rules be declared that are
// live at once and gone with the one who declared them, and shows events as they
// come. What is typed runs in slices, and the shard serves between them.
//
// A [Session] is the engine's side and knows no terminal. [Serve] lets a session be
// talked to over a connection, in JSON lines, and [Client] is the other end; both
// work the same in one process.
//
// Goroutines: a Session's methods are called by one goroutine at a time, except
// Interrupt. Serve owns the goroutines it starts and waits for them. A Client owns
// one that reads; Close waits for it.
package console
