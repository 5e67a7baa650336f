// Package wsframe is the framing of WebSockets (RFC 6455) over bytes that are in a
// buffer already: it asks for more, and never reads, writes or waits. It has the
// opening handshake's key, frames, masking, messages put together from fragments,
// control frames between them, close codes, UTF-8 across fragments, and
// permessage-deflate (RFC 7692) with a bounded output.
//
// A connection has a [Reader] for what comes in and a [Writer] for what goes out.
// What a peer does wrong is an [Error], which carries the code to close with.
//
// Goroutines: none. A Reader, a Writer and a [Flater] belong to one goroutine, or
// to whoever holds their owner's lock; functions may be called from anywhere.
package wsframe
