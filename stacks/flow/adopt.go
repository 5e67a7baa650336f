package flow

import "github.com/hookd/hookd/stacks/flow/packet"

// adopt makes a connection of a packet whose predecessors were not seen. The client is the receiver
// of a SYN/ACK, else the sender of the packet. Where the streams begin is known by the SYN/ACK, else
// by the first bytes that come: what was under way before is no gap.
func (s *Stack) adopt(k *key, hash uint64, low bool, p *packet.Packet) *Conn {
	synAck := p.TCPFlags.Has(packet.SYN | packet.ACK)
	c := s.open(k, hash, low != synAck, p.VLAN)
	s.stats.Adopted++
	c.received = true
	if synAck {
		c.client.state, c.server.state = synSent, synReceived
		c.client.sent.begin(p.Ack - 1)
		c.client.synSent, c.client.synGot = true, true
		return c
	}
	c.client.state, c.server.state = established, established
	c.client.sent.floating, c.server.sent.floating = true, true
	return c
}
