// Package sniff finds SIP messages in traffic that passes: in UDP datagrams, and in what
// connections carry, divided into messages by Content-Length, or by the frames of a
// WebSocket. It knows SIP by its ports and by what it looks like. It raises nothing and
// parses no more than it needs to find where a message begins and ends.
//
// A [Finder] is a flow stack's reader. Its methods are called with a shard entered; where
// shards are driven apart, it reads in the first alone.
package sniff
