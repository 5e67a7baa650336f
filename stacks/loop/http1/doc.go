// Package http1 reads and writes messages of HTTP/1.1 and 1.0 (RFC 9110, RFC
// 9112) in byte slices. It owns no connection: its user hands over what was
// received, learns how much of it is a message, and appends what is to be sent.
//
// Reading is incremental, in place and without allocation: a [Parser] takes a head
// line by line as the bytes come, and never looks at a byte twice; a [Body] takes
// the content off its framing. What they return are parts of the slice that
// they were given, lent until its bytes move.
//
// It is strict wherever two programs could disagree about where a message ends:
// lines end with CRLF and nothing else, nothing stands between a name and its colon,
// folded lines are refused, and so are Content-Length twice or beside
// Transfer-Encoding, any coding but a single chunked, and Transfer-Encoding of
// HTTP/1.0. Every refusal is an [*Error] with the status that answers it.
//
// Nothing here is safe for concurrent use; a Parser belongs to who reads.
package http1
