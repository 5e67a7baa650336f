package flow

import (
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// alias is the addresses and ports that rules gave to the packets of one direction of a connection:
// what the other end answers to. A connection has one for each direction at most.
type alias struct {
	key        key
	hash       uint64
	conn       flowev.Conn // a *Conn or an *Exchange
	clientLow  bool        // the client is the lower endpoint of key
	fromClient bool        // the direction
}

func (a *alias) tableKey() *key { return &a.key }

// aliases finds connections by their aliases.
type aliases struct {
	table  keyTable[alias]
	of     map[flowev.Conn]*[2]*alias // by direction, the client's first
	claims *claims                    // what they say to who sorts frames; nil where he looks himself
}

// translate notes which addresses and ports p has, a packet of c that came with others, so that what
// the other end answers is known for c's. The first connection that took them keeps them.
func (s *Stack) translate(c flowev.Conn, fromClient bool, came endpoints, p *packet.Packet) {
	if came == endpointsOf(p) {
		return
	}
	var k key
	var low bool
	switch c := c.(type) {
	case *Conn:
		k, low = keyOf(p)
		if k == c.key {
			return
		}
	case *Exchange:
		k, low = keyOf(p)
		k.rest |= c.key.rest & kindOfExchange
		if c.ipProto() != protoUDP {
			k.rest |= c.key.rest &^ 0xff
		}
		if k == c.key {
			return
		}
	default:
		return
	}
	s.learn(&alias{key: k, conn: c, clientLow: low == fromClient, fromClient: fromClient})
}

// kindOfExchange is what an exchange's key has beside a TCP connection's: protocol and ICMP type.
const kindOfExchange = 0xff<<48 | 0xff<<8

// learn puts an alias into the table in the place of the one that its connection had before.
func (s *Stack) learn(a *alias) {
	t := s.alias
	if t.of == nil {
		t.table, t.of = newTable((*alias).tableKey), map[flowev.Conn]*[2]*alias{}
	}
	direction := 1
	if a.fromClient {
		direction = 0
	}
	own := t.of[a.conn]
	if own != nil && own[direction] != nil {
		if own[direction].key == a.key {
			return
		}
		t.drop(own[direction])
		own[direction] = nil
	}
	other, hash := t.table.find(&a.key)
	if other != nil {
		if other.conn != a.conn {
			s.stats.AliasesTaken++
		}
		return
	}
	if t.claims != nil && !t.claims.claim(&a.key, s) {
		s.stats.AliasesTaken++
		return
	}
	if own == nil {
		own = new([2]*alias)
		t.of[a.conn] = own
	}
	a.hash = hash
	own[direction] = a
	t.table.insert(hash, a)
}

// forget takes the aliases of a connection out of the table.
func (t *aliases) forget(c flowev.Conn) {
	if len(t.of) == 0 {
		return
	}
	if own := t.of[c]; own != nil {
		for _, a := range own {
			if a != nil {
				t.drop(a)
			}
		}
		delete(t.of, c)
	}
}

// drop takes an alias out of the table.
func (t *aliases) drop(a *alias) {
	t.table.remove(a.hash, a)
	if t.claims != nil {
		t.claims.drop(&a.key)
	}
}

// find returns the alias of key k, nil for none.
func (t *aliases) find(k *key) *alias {
	if len(t.of) == 0 {
		return nil
	}
	a, _ := t.table.find(k)
	return a
}

// take returns the aliases of a connection that is about to end, for inherit.
func (t *aliases) take(c flowev.Conn) [2]*alias {
	if own := t.of[c]; own != nil {
		return *own
	}
	return [2]*alias{}
}

// inherit gives c the aliases of the connection between the same ends before it, whose client is c's
// client if same.
func (s *Stack) inherit(c *Conn, known [2]*alias, same bool) {
	for _, a := range known {
		if a != nil {
			s.learn(&alias{key: a.key, conn: c, clientLow: a.clientLow == same, fromClient: a.fromClient == same})
		}
	}
}

// sees returns the addresses and ports that the receiver of p, a packet of c, knows for its ends; p's
// own unless rules gave others to what came that way before.
func (t *aliases) sees(c *Conn, fromClient bool, p *packet.Packet) endpoints {
	direction := 1
	if fromClient {
		direction = 0
	}
	own := t.of[c]
	if own == nil || own[direction] == nil {
		return endpointsOf(p)
	}
	a := own[direction]
	sender := a.clientLow == fromClient
	var e endpoints
	e.src, e.srcPort, _ = a.key.endpoint(sender)
	e.dst, e.dstPort, _ = a.key.endpoint(!sender)
	return e
}
