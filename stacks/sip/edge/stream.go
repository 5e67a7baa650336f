package edge

import (
	"net/netip"

	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/netio"
	"github.com/hookd/hookd/stacks/sip"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// datagrams takes what comes to a UDP listener.
type datagrams struct{ l *listener }

// Datagram implements [netio.PacketHandler].
func (d datagrams) Datagram(s *netio.Packets, p []byte, from, to netip.AddrPort, cut bool) {
	if cut || blank(p) {
		return
	}
	if !to.IsValid() || to.Port() == 0 {
		to = s.Addr()
	}
	d.l.g.stack.Receive(sip.Hop{Proto: sipev.TransportUDP, Local: to, Remote: unmap(from)}, p)
}

// Unreachable implements [netio.PacketHandler]. Timers see to what is lost.
func (datagrams) Unreachable(*netio.Packets, netip.AddrPort, netio.Reason) {}

// blank reports whether a datagram only keeps a NAT's mapping alive.
func blank(p []byte) bool {
	if len(p) > 4 {
		return false
	}
	for _, c := range p {
		if c != '\r' && c != '\n' && c != 0 {
			return false
		}
	}
	return true
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// peerKey is what a connection can be used again for.
type peerKey struct {
	proto  sipev.Transport
	remote netip.AddrPort
}

// stream serves the connections of a listener, or one that was dialled.
type stream struct {
	netio.Base
	g      *Group
	l      *listener // nil for one that was dialled
	proto  sipev.Transport
	framer msg.Framer
}

// Accept implements [netio.Handler]: each connection has a handler of its own, which
// knows how far its stream was read.
func (s *stream) Accept(c *netio.Conn) netio.Verdict {
	own := &stream{g: s.g, l: s.l, proto: s.l.spec.proto}
	c.Handle(own)
	s.g.conns[own.key(c)] = c.ID()
	return netio.Accept
}

func (s *stream) key(c *netio.Conn) peerKey { return peerKey{s.proto, unmap(c.Remote())} }

// Recv implements [netio.Handler].
func (s *stream) Recv(c *netio.Conn, _ int) {
	lim := s.g.cfg.SIP.Limits
	if lim == (msg.Limits{}) {
		lim = msg.DefaultLimits()
	}
	for c.Len() > 0 {
		buf := c.Bytes()
		kind, n, err := s.framer.Next(buf, lim)
		switch {
		case err != nil:
			c.Abort(netio.Reason{Why: netio.Local, Err: err})
			return
		case kind == msg.Incomplete:
			return
		case kind == msg.Ping:
			_ = c.Send([]byte("\r\n")) // RFC 5626, 4.4.1
		case kind == msg.Whole:
			s.g.stack.Receive(sip.Hop{Proto: s.proto, Local: c.Local(), Remote: unmap(c.Remote()), Conn: uint64(c.ID())}, buf[:n])
		}
		c.Discard(n)
	}
}

// Close implements [netio.Handler].
func (s *stream) Close(c *netio.Conn, _ netio.Reason) {
	if k := s.key(c); s.g.conns[k] == c.ID() {
		delete(s.g.conns, k)
	}
}
