// Package ipcomp inflates what IP datagrams carry compressed (IPComp, RFC 3173, with DEFLATE, RFC 2394),
// bare or behind an authentication header: the datagram as it was before.
//
// It owns the buffer of the datagram that is lent, and what the decompressor needs, about 110 KiB
// together, and nothing before the first such datagram comes. Inflating is bounded by what a datagram may
// have, 64 KiB, and is done once a datagram: a datagram that inflates to a compressed one stays that. An
// Inflater belongs to the goroutine that reads the packets; the package starts none.
package ipcomp
