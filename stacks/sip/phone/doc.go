// Package phone has SIP phones that are played by hand around a policy: what specs call
// `phone`. A [Switchboard] takes the place of the network below an [edge.Group], so that
// listeners, transactions and rules are those of a daemon, while every message comes from
// a phone, goes to one, and can be looked at; time is the shard's. A phone does nothing
// by itself: it repeats nothing, acknowledges nothing and answers nothing until it is told
// to.
//
// All of it belongs to the shard: every method is called with the shard entered.
package phone
