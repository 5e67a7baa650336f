package flow

import "github.com/hookd/hookd/stacks/flow/packet"

// recent is the connection that was found last: most packets are of the same one as the packet before them, which
// is told sooner than a key is made and looked up.
type recent struct {
	conn             *Conn // nil for none
	src, dst         packet.Addr
	srcPort, dstPort uint16
	version          uint8
	client           bool // the client is at src
}

// find returns the connection if p is of it, else nil, and whether its client sent p.
func (r *recent) find(p *packet.Packet) (c *Conn, client bool) {
	switch {
	case r.conn == nil || p.IPVersion != r.version:
	case p.SrcPort == r.srcPort && p.DstPort == r.dstPort && p.Src == r.src && p.Dst == r.dst:
		return r.conn, r.client
	case p.SrcPort == r.dstPort && p.DstPort == r.srcPort && p.Src == r.dst && p.Dst == r.src:
		return r.conn, !r.client
	}
	return nil, false
}

// found notes that c has p's key, and whether its client sent p.
func (r *recent) found(c *Conn, p *packet.Packet, client bool) {
	r.conn, r.client, r.version = c, client, p.IPVersion
	r.src, r.dst, r.srcPort, r.dstPort = p.Src, p.Dst, p.SrcPort, p.DstPort
}

// forget forgets c, which leaves the table.
func (r *recent) forget(c *Conn) {
	if r.conn == c {
		r.conn = nil
	}
}
