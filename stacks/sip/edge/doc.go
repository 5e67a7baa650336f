// Package edge is where SIP meets the network: listeners for UDP, TCP, TLS and
// WebSocket (RFC 7118) that scripts declare, connections that are used again, and where
// a URI leads. It is the [sip.Transport] of one [sip.Stack], which it makes.
//
// Goroutines: the group has one netio loop, in the first shard; a SIP call is there for
// its life. What a [Group] offers may be called from anywhere where it says so, the
// rest wants the shard entered.
package edge
