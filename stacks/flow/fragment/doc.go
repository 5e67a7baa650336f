// Package fragment puts fragmented IP datagrams together, IPv4 (RFC 791, RFC 815) and IPv6 (RFC 8200
// section 4.5), also those inside tunnels.
//
// It owns the fragments that wait for others: within a limit of memory and of datagrams, each for a
// limited time of the packets' own clock. What is refused is counted. The outcome depends on the
// packets alone: their order, bytes and times.
//
// A process that replays or watches one stream of packets has one Table, in front of its shards, since
// later fragments have no ports to choose a shard by. A Table belongs to the goroutine that reads the
// packets, and starts none.
package fragment
