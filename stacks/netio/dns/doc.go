// Package dns is names over the loop: messages (RFC 1035 and its additions), and a
// [Resolver] that waits for nothing. It reads hosts and resolv.conf, asks servers over
// UDP with a random port and identifier each time, goes on to TCP and to other servers,
// remembers what it heard for a bounded time, and finds SIP servers (RFC 3263).
//
// Messages are decoded by golang.org/x/net/dns/dnsmessage: whole or not at all.
//
// Goroutines: a Resolver belongs to a loop; all its methods want the loop's shard
// entered, and what they call back is called there, never from inside the call. One
// goroutine at a time reads the system's files; [Resolver.Close] waits for it.
// Functions about messages may be called from anywhere.
package dns
