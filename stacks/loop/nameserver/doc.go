// Package nameserver is DNS served on the loop's connections: questions over UDP and TCP
// become the event dns_query, and what rules decide becomes their answer (RFC 1035,
// 6891, 7766). What is malformed, no question, or no question for a name server is
// answered before any rule sees it.
//
// Goroutines: none; a session runs in its connection's shard.
package nameserver
