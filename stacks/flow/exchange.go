package flow

import (
	"strconv"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// Exchange is a UDP flow, or an ICMP query and its answers: packets between the same two ends, without
// a stack to emulate. For handlers it is a flowev.Conn. It belongs to its stack's shard. What its
// methods return stays true after the end.
//
// Its key has the protocol number and, for ICMP, the query's identifier as both ports and its type,
// see exchangeKey.
type Exchange struct {
	key  key
	hash uint64
	id   uint64

	stack *Stack

	started int64
	last    int64  // time of the latest packet
	stamp   uint64 // number of the frame that had it

	client, server Speaker

	tags  tagSet
	slots event.Slots
	age   links[Exchange] // all, in the order they were made
	idle  links[Exchange] // those of the same group, the one silent for longest first

	vlan      uint16
	group     exchangeGroup
	decided   event.VerdictKind // flow.cut once a rule said so
	clientLow bool              // the client is the lower endpoint of key
	reversed  bool              // of ICMP: the first packet was an answer
	ended     bool              // udp_end was raised
}

var _ flowev.Conn = (*Exchange)(nil)

// exchangeKey returns the key of p's exchange and whether p's source is its lower endpoint. For ICMP q
// is what p asks or answers. Answers of a host to itself are told by their type.
func exchangeKey(p *packet.Packet, q query) (k key, low bool) {
	k, low = keyOf(p)
	k.rest |= uint64(p.Proto) << 8
	if p.Class == packet.ICMP {
		k.rest |= uint64(q.kind)<<48 | uint64(q.id)<<32 | uint64(q.id)<<16
		if k.low == k.high {
			low = !q.answers
		}
	}
	return k, low
}

// ipProto returns the protocol number.
func (x *Exchange) ipProto() uint8 { return uint8(x.key.rest >> 8) }

func (x *Exchange) tableKey() *key { return &x.key }

// ID returns the flow's number, from 1 in the order of first packets, TCP connections' too.
func (x *Exchange) ID() uint64 { return x.id }

// Label returns "connection 17".
func (x *Exchange) Label() string { return "connection " + strconv.FormatUint(x.id, 10) }

// Ended reports whether udp_end was raised: its handlers still find the flow whole.
func (x *Exchange) Ended() bool { return x.ended }

// Slots returns where others attach data to the flow.
func (x *Exchange) Slots() *event.Slots { return &x.slots }

// CID returns the flow's Community ID, version 1 with seed 0. Two ICMP queries of one type between the
// same ends have the same.
func (x *Exchange) CID() string {
	return string(x.AppendCID(make([]byte, 0, communityIDLen)))
}

// AppendCID appends what CID returns, for records.
func (x *Exchange) AppendCID(b []byte) []byte {
	low, high := x.key.port(true), x.key.port(false)
	if x.ipProto() != protoUDP {
		low, high = x.messageTypes()
	}
	return appendCommunityID(b, x.ipProto(), &x.key, low, high)
}

// Proto returns UDP, ICMP or ICMP6.
func (x *Exchange) Proto() flowev.Proto {
	switch x.ipProto() {
	case protoICMP:
		return flowev.ProtoICMP
	case protoICMPv6:
		return flowev.ProtoICMP6
	}
	return flowev.ProtoUDP
}

// Client returns the end that sent the first packet.
func (x *Exchange) Client() flowev.Peer { return &x.client }

// Server returns the other end.
func (x *Exchange) Server() flowev.Peer { return &x.server }

// VLAN returns the outermost VLAN id of the first packet, 0 for none.
func (x *Exchange) VLAN() uint16 { return x.vlan }

// ICMPID returns the identifier of an ICMP query, 0 for UDP.
func (x *Exchange) ICMPID() uint16 {
	if x.ipProto() == protoUDP {
		return 0
	}
	return x.key.port(true)
}

// Started returns the time of the first packet in nanoseconds since the epoch.
func (x *Exchange) Started() int64 { return x.started }

// Duration returns the time from the first packet to the latest.
func (x *Exchange) Duration() time.Duration { return time.Duration(x.last - x.started) }

// Tags returns the words on the flow in the order they were put there.
func (x *Exchange) Tags() []string { return append([]string(nil), x.tags...) }

// Tagged reports whether word is on the flow.
func (x *Exchange) Tagged(word string) bool { return x.tags.has(word) }

// Tag puts a word of 1 to 64 bytes on the flow, which may have 32. One that is there already changes
// nothing.
func (x *Exchange) Tag(_ *event.Caller, word string) error {
	if x.ended {
		return errEnded
	}
	x.stack.sh.Change()
	defer x.stack.sh.Changed()
	return x.tags.add(word)
}

// Untag takes a word off the flow; one that is not there changes nothing.
func (x *Exchange) Untag(_ *event.Caller, word string) error {
	if x.ended {
		return errEnded
	}
	x.stack.sh.Change()
	x.tags.drop(word)
	x.stack.sh.Changed()
	return nil
}

// Verdict returns flow.cut if a rule decided so, else 0.
func (x *Exchange) Verdict() event.VerdictKind { return x.decided }

// decideExchange notes what rules said about the frame at hand and, where it is a cut, about x.
func (s *Stack) decideExchange(x *Exchange, v event.Verdict) {
	s.said = max(s.said, v.Kind)
	if v.Kind == flowev.VerdictReplace {
		s.replaces(v)
	}
	if v.Kind >= flowev.VerdictCut && v.Kind > x.decided {
		x.decided = v.Kind
	}
}

// speaker returns one of the ends.
func (x *Exchange) speaker(client bool) *Speaker {
	if client {
		return &x.client
	}
	return &x.server
}

// used reports whether anybody attached data to the flow or its ends, so that it must not be made into
// another.
func (x *Exchange) used() bool {
	return x.slots.Used() || x.client.slots.Used() || x.server.slots.Used()
}
