// Package netio is the sockets under the stacks: TCP and Unix stream connections,
// listeners, outgoing connections and UDP, driven by one event loop a shard. It
// raises no hook points; it calls a [Handler] for each connection and leaves
// what an event means to the stack above.
//
// What its users may count on:
//
//   - Handlers run in the loop's shard, one at a time, and never inside a call
//     that a handler makes: sending appends, closing marks, and what follows is
//     told after the handler returned.
//   - First Accept or Connect, then any number of Recv, Send, Full, Drained, EOF,
//     last Close, exactly once and with a reason, also after a failed connect.
//   - Bytes that arrived are delivered before Close. Bytes that were queued before
//     Close are written first; only an abort, an error or a deadline drops them.
//   - Everything that grows is bounded: what a handler does not consume, what a
//     peer does not read, connections, peers, datagrams, posts.
//
// With TLS (crypto/tls) all of that holds too: a connection is accepted, or
// connected, when its handshake is over; what is counted, queued and bounded is what the
// peers mean, not what goes over the wire; the end of a stream is close_notify and FIN.
//
// There are two backends behind one interface: epoll on Linux, and goroutines over
// package net anywhere, which simulate readiness. All meaning is in the loop, so
// both behave alike; the portable one costs two goroutines a connection.
//
// Goroutines: a [Loop] is run by one goroutine ([Loop.Run]), which enters the shard
// for at most 64 events or 200 µs at a time. Names are looked up, and TLS handshakes
// run, in goroutines that it waits for. All methods of [Conn], [Listener] and
// [Packets] want the shard entered, by whomever; [Loop.Post], [Loop.Wake] and the
// methods of [Socket] and [Budget] may be called from anywhere.
package netio
