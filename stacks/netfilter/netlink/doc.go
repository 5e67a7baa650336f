// Package netlink speaks the kernel's netlink framing: messages and attributes
// built into one buffer, answers read as they stand, acknowledgements waited for.
// It knows no family's meaning. A [Builder] allocates nothing once it has grown.
//
// Goroutines: a [Conn] may be used by several, one request at a time; a [Builder]
// belongs to one.
package netlink
