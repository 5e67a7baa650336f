// Package loop is the scripted event loop: listeners, outgoing connections, UDP
// peers, timers and the protocols on them, whose events are hook points with the
// meaning that Mongoose gave them. Sockets, buffers and bounds are package netio's;
// this package says what is raised, when, and what rules decide.
//
// A [Group] is the loops of a process: one [Stack] a shard, the listeners that
// scripts declare, the protocols that cmd registers. It has the bodies of what
// scripts call (loopev.Functions).
//
// Of each connection the first event is accept or connect, then come any number of
// recv, send, poll, timer, full, drain, eof, message, last close, exactly once.
// Handlers of most of these may wait: the connection waits with them, the loop does
// not. What happens meanwhile is told afterwards, bytes in one recv, so that nothing
// is told out of order and nothing grows; send, full and poll, which are about the
// moment, are told at once.
//
// A protocol ([Protocol], [Session]) is told of each event after the handlers of
// the event were, reads the connection's bytes in place, consumes them and raises
// events of its own.
//
// Goroutines: each Stack belongs to the goroutine that entered its shard, and so do
// its connections. [Group.Run] starts one goroutine a shard and waits for them. The
// Group's own methods say who may call them.
package loop
