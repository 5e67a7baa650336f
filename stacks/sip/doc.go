// Package sip is a SIP proxy's transactions: what Kamailio's TM is for its modules.
// A [Stack] gets messages, matches them to transactions (RFC 3261, 6026), raises the
// events of spec/events/sip.yaml where a transaction passes a hook point, and does
// what the rules decide: forward to one place or several, answer, drop. It opens no
// socket: what it sends it hands to a [Transport], and its timers are those of its
// shard, so that all of it can be driven by hand.
//
// A Stack belongs to its shard: every method is called with the shard entered. All
// that concerns one transaction, up to handing bytes to the transport, happens in
// one entry and in the order in which messages came, so that no reply overtakes
// another.
package sip
