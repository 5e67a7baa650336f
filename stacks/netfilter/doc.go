// Package netfilter tells the kernel's packet filter what stacks want of single
// connections: block one, hold its packets, hand packets over for a verdict. It
// speaks nftables and NFQUEUE by netlink and starts no program where the kernel has
// them. It raises no hook points.
//
// What its users may count on:
//
//   - A block is a lease. Each is a set element with a timeout, which the kernel
//     takes out by itself, so a process that is killed leaves nothing behind that
//     stops a packet. Tables of [Diverter] belong to the socket that made them and go
//     with it.
//   - Rules stand at raw priority, before connection tracking and before the kernel
//     looks for a socket, and let packets with [Mark] pass.
//   - What can be held is held ([Hold]) and goes on when it is released, in the order
//     in which it came; where the kernel has no queue for it, it is dropped ([Drop])
//     and its sender has to repeat it. [Probe] says which.
//
// Goroutines: [Locks] may be used from anywhere; one that holds packets has one
// goroutine that takes them from the kernel, which [Locks.Close] waits for. A [Queue]
// is read by one goroutine; verdicts may come from any.
package netfilter
