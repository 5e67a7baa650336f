// Package msg reads and writes SIP messages (RFC 3261) without copying them. A
// [Message] is an index over the bytes that arrived: where each header field
// begins, what it is called, where its value is. Values are parsed when they are
// read, into views whose fields are slices of those bytes. What a proxy changes is
// a list of [Edits] over the same bytes, so that everything else leaves as it came:
// order, case, compact names, folding, unknown fields.
//
// Nothing here keeps state besides what the caller owns: a Message and its Edits
// belong to one goroutine at a time and are used again for the next message, which
// then costs no allocation. Views are valid as long as the bytes are.
package msg
