package flow

import (
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// resyn is a SYN with another initial sequence number on a connection that is not over: its sender
// may have lost the connection and begun another, or it may be forged. The other end knows. If it
// answers with a SYN/ACK for that number, the old connection is over and a new one began; whatever
// else comes belongs to the old one.
type resyn struct {
	fromClient bool
	at         int64 // when it came first
	isn        uint32
	window     uint16
	options    packet.TCPOptions
	vlan       uint16
	pkts       uint64 // how often it came
}

// renew looks at a segment with SYN that has c's addresses, sent by its client or not, and reports
// whether c is over because of it. After a SYN that is so because c's ends were done; the SYN then makes a connection. After a
// SYN/ACK the connection that it answers is made.
func (s *Stack) renew(c *Conn, p *packet.Packet, client bool) bool {
	x := c.peer(client)
	switch {
	case p.TCPFlags&(packet.RST|packet.FIN) != 0:
		return false
	case p.TCPFlags.Has(packet.ACK):
		r := c.resyn
		if r == nil || r.fromClient == x.client || p.Ack != r.isn+1 {
			return false
		}
		s.reopen(c, r)
		return true
	case c.group == inReset:
		s.end(c, flowev.EndReasonRst)
		return true
	case !x.sent.known || x.sent.isn == p.Seq: // simultaneous open; a repetition
		return false
	case c.group == inTimeWait:
		s.finish(c)
		return true
	}
	if r := c.resyn; r != nil && r.fromClient == x.client && r.isn == p.Seq {
		r.pkts++
		return false
	}
	c.resyn = &resyn{
		fromClient: x.client, at: s.sh.Now(), isn: p.Seq, window: p.Window, options: p.TCPOptions(), vlan: p.VLAN, pkts: 1,
	}
	return false
}

// reopen ends c and makes the connection that began with r, up to the SYN/ACK that is the current
// packet.
func (s *Stack) reopen(c *Conn, r *resyn) {
	c.peer(r.fromClient).pkts -= r.pkts
	k, hash, clientLow := c.key, c.hash, c.clientLow == r.fromClient
	s.stats.Reused++
	known := s.alias.take(c)
	s.end(c, flowev.EndReasonReuse)

	c = s.open(&k, hash, clientLow, r.vlan)
	s.inherit(c, known, r.fromClient)
	c.started = r.at
	x, y := &c.client, &c.server
	x.pkts = r.pkts
	x.begin(r.isn, &r.options)
	x.announce(r.window, true)
	st := &s.step
	*st = step{p: &s.pkt.p, x: x, y: y, opens: true}
	x.synSent, x.synGot, c.received = true, true, true
	x.apply(sendSYN, &st.snd)
	s.raiseStart(x, flowev.OnConnStartSnd)
	s.raiseState(x, flowev.OnTCPStateChangeSnd, closed, x.state, true)
	y.apply(recvSYN, &st.rcv)
	s.raiseStart(y, flowev.OnConnStartRcv)
	s.raiseState(y, flowev.OnTCPStateChangeRcv, closed, y.state, true)
}
