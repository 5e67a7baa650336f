package flow

import (
	"slices"
	"strconv"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
)

// Conn is a TCP connection: flowev.Conn for handlers. It belongs to its stack's shard. What its
// methods return stays true after the end.
type Conn struct {
	key  key
	hash uint64
	id   uint64

	stack     *Stack
	clientLow bool              // the client is the lower endpoint of key
	received  bool              // conn_start.rcv was raised, or conn_adopted
	reset     bool              // a RST closed it
	ended     bool              // conn_end was raised
	group     group             // which timeout holds
	decided   event.VerdictKind // the strictest of cut and reset that rules said so far
	vlan      uint16
	started   int64
	last      int64  // time of the latest packet
	stamp     uint64 // number of the frame that had it

	client, server Peer

	resyn *resyn // a SYN that may be another connection's
	tags  tagSet
	slots event.Slots

	age  links[Conn] // all connections, in the order they were made
	idle links[Conn] // those of the same group, the one silent for longest first
}

var _ flowev.Conn = (*Conn)(nil)

// ID returns the connection's number, from 1 in the order of first packets.
func (c *Conn) ID() uint64 { return c.id }

// Label returns "connection 17".
func (c *Conn) Label() string { return "connection " + strconv.FormatUint(c.id, 10) }

// Ended reports whether conn_end was raised: its handlers still find the connection whole.
func (c *Conn) Ended() bool { return c.ended }

// Slots returns where others attach data to the connection.
func (c *Conn) Slots() *event.Slots { return &c.slots }

// CID returns the connection's Community ID, version 1 with seed 0.
func (c *Conn) CID() string {
	return communityID(protoTCP, &c.key, c.key.port(true), c.key.port(false))
}

// AppendCID appends what CID returns, for records.
func (c *Conn) AppendCID(b []byte) []byte {
	return appendCommunityID(b, protoTCP, &c.key, c.key.port(true), c.key.port(false))
}

// Proto returns TCP.
func (c *Conn) Proto() flowev.Proto { return flowev.ProtoTCP }

// Client returns the end that sent the first SYN.
func (c *Conn) Client() flowev.Peer { return &c.client }

// Server returns the other end.
func (c *Conn) Server() flowev.Peer { return &c.server }

// VLAN returns the outermost VLAN id of the first packet, 0 for none.
func (c *Conn) VLAN() uint16 { return c.vlan }

// ICMPID returns 0: there is no such thing in TCP.
func (c *Conn) ICMPID() uint16 { return 0 }

// Started returns the time of the first packet in nanoseconds since the epoch.
func (c *Conn) Started() int64 { return c.started }

// Duration returns the time from the first packet to the latest.
func (c *Conn) Duration() time.Duration { return time.Duration(c.last - c.started) }

// Tags returns the words on the connection in the order they were put there.
func (c *Conn) Tags() []string { return slices.Clone(c.tags) }

// Verdict returns the strictest of flow.cut and flow.reset that rules have decided so far, 0 for
// neither. Whether the stack does so is a matter of [Config].Verdicts.
func (c *Conn) Verdict() event.VerdictKind { return c.decided }

// Tagged reports whether word is on the connection.
func (c *Conn) Tagged(word string) bool { return c.tags.has(word) }

// Tag puts a word of 1 to 64 bytes on the connection, which may have 32. One that is there already
// changes nothing.
func (c *Conn) Tag(_ *event.Caller, word string) error {
	if c.ended {
		return errEnded
	}
	c.stack.sh.Change()
	defer c.stack.sh.Changed()
	return c.tags.add(word)
}

// Untag takes a word off the connection; one that is not there changes nothing.
func (c *Conn) Untag(_ *event.Caller, word string) error {
	if c.ended {
		return errEnded
	}
	c.stack.sh.Change()
	c.tags.drop(word)
	c.stack.sh.Changed()
	return nil
}

func (c *Conn) tableKey() *key { return &c.key }

// peer returns one of the ends.
func (c *Conn) peer(client bool) *Peer {
	if client {
		return &c.client
	}
	return &c.server
}

// used reports whether anybody attached data to the connection or its ends, so that it must not be
// made into another.
func (c *Conn) used() bool { return c.slots.Used() || c.client.used() || c.server.used() }
