// Package sock takes live TCP connections out of the kernel, byte and number exact,
// and puts them back: into another process, another network namespace, another host,
// or the same place later. The peer does not notice.
//
// There are two ways in. The staged calls of [Handle] do one step each, in the order
// that the kernel wants, and refuse any other with [ErrOrder] before the first system
// call:
//
//	dump:    Pause, Data, QueueBytes, then Resume or Close
//	restore: Pause, SetUnbound, the caller's own bind and connect, SetNoQ,
//	         SetQueueBytes for each queue, SetData, Resume
//
// They block no traffic; that is the caller's duty (see [Mover.Pause]). The whole forms
// [Mover.Checkpoint], [Mover.Restore], [Mover.HandOff] and [Mover.Receive] block first,
// by package netfilter, and hold what the peer sends meanwhile where the kernel can.
//
// What cannot be moved is refused before anything was touched: listening sockets, UDP,
// MPTCP, sockets under an upper layer protocol of the kernel (kTLS), half-open ones, and
// those with urgent data that nobody has read.
//
// It needs Linux, and CAP_NET_ADMIN in the user namespace that owns the socket's network
// namespace. Elsewhere every call returns [ErrUnsupported].
//
// Goroutines: a [Mover] may be used by several; a [Handle] by one at a time. While a
// socket is paused nobody may read or write it: the kernel answers such calls with
// errors.
package sock
