// Package web is HTTP/1.1 on the loop's connections: sessions that serve, sessions
// that ask, and what scripts call for either. Messages are read and written by
// package http1, in place; this package says what is raised, what rules decide, and
// what happens where none does.
//
// A server session reads one request at a time; what is pipelined behind it waits
// in the connection's buffer. For each it raises loop.http_headers, then
// loop.http_chunk for the parts of a body, then loop.http_request, whose verdict is
// the answer. What is malformed, too long or too late is answered by the session,
// told by loop.http_error, and ends the connection with a reason.
//
// A [Client] asks for scripts that wait (http.get): it keeps connections that may be
// used again, bounded.
//
// Goroutines: everything belongs to the shard of its connection, but for files,
// which a goroutine each reads and posts; the session owns it, and waits for it in
// the sense that nothing it posts after the end does anything.
package web
