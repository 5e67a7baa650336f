package edge

import (
	"bytes"
	"net/netip"
	"time"

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
	if isStun(p) {
		if answer, ok := appendStun(d.l.g.scratch[:0], p, unmap(from)); ok {
			d.l.g.scratch = answer
			_ = s.SendTo(answer, from, to.Addr())
		}
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

// peerKey is what a connection can be used again for. A name was verified by a
// certificate, which is good for no other (RFC 5922, 4).
type peerKey struct {
	proto  sipev.Transport
	remote netip.AddrPort
	name   string
}

// stream is a connection: of a listener, or dialled.
type stream struct {
	netio.Base
	g      *Group
	l      *listener // nil for one that was dialled
	key    peerKey
	framer msg.Framer
	ws     *websocket // nil: messages follow one another
	up     bool       // messages can be sent
	// stretch: it is for long requests, which can go by UDP as well, from the address local
	// if that matters.
	stretch bool
	local   netip.AddrPort
	unsent  [][]byte // what waits for that
}

// Bounds of what a connection makes wait.
const (
	maxUnsent  = 256 // messages
	halfClosed = 32 * time.Second
)

// Accept implements [netio.Handler]: each connection has a handler of its own, which
// knows how far its stream was read.
func (s *stream) Accept(c *netio.Conn) netio.Verdict {
	own := &stream{g: s.g, l: s.l, key: peerKey{proto: s.l.spec.proto, remote: unmap(c.Remote())}}
	c.Data = own
	c.Handle(own)
	if own.key.overHTTP() {
		own.ws = newWebsocket(true)
		c.Deadline("handshake", handshake)
		return netio.Accept
	}
	own.opened(c)
	return netio.Accept
}

// overHTTP reports whether the transport is WebSocket.
func (k *peerKey) overHTTP() bool {
	return k.proto == sipev.TransportWS || k.proto == sipev.TransportWss
}

// Connect implements [netio.Handler].
func (s *stream) Connect(c *netio.Conn, err error) {
	switch {
	case err != nil: // Close follows
		if s.stretch {
			s.g.noTCP(s.key.remote)
		}
	case s.ws != nil:
		c.Deadline("handshake", handshake)
		_ = c.Send(s.ws.request(&s.key))
	default:
		s.opened(c)
	}
}

// opened sends what waited for the connection.
func (s *stream) opened(c *netio.Conn) {
	s.up = true
	s.g.conns[s.key] = c.ID()
	unsent := s.unsent
	s.unsent = nil
	for _, b := range unsent {
		if s.write(c, b) != nil {
			s.undelivered(b)
		}
	}
}

// write sends a message, or keeps a copy until it can be sent.
func (s *stream) write(c *netio.Conn, b []byte) error {
	if !s.up {
		if len(s.unsent) >= maxUnsent {
			return ErrWaiting
		}
		s.unsent = append(s.unsent, bytes.Clone(b))
		return nil
	}
	if s.ws != nil {
		return c.Send(s.ws.frame(b))
	}
	return c.Send(b)
}

// hop is the other end.
func (s *stream) hop(c *netio.Conn) sip.Hop {
	return sip.Hop{Proto: s.key.proto, Local: c.Local(), Remote: s.key.remote, Conn: uint64(c.ID())}
}

// Recv implements [netio.Handler].
func (s *stream) Recv(c *netio.Conn, _ int) {
	if s.ws != nil {
		s.ws.recv(s, c)
		return
	}
	for c.Len() > 0 {
		buf := c.Bytes()
		kind, n, err := s.framer.Next(buf, s.g.limits())
		switch {
		case err != nil:
			c.Abort(netio.Reason{Why: netio.Local, Err: err})
			return
		case kind == msg.Incomplete:
			return
		case kind == msg.Ping:
			_ = c.Send(pong)
		case kind == msg.Whole:
			s.g.stack.Receive(s.hop(c), buf[:n])
		}
		c.Discard(n)
	}
}

// pong answers a keep-alive (RFC 5626, 4.4.1).
var pong = []byte("\r\n")

// EOF implements [netio.Handler]: who sends no more may still wait for replies.
func (s *stream) EOF(c *netio.Conn) (half bool) {
	s.forget(c)
	if s.ws != nil {
		return false
	}
	c.Deadline("half-closed", halfClosed)
	return true
}

// forget has the connection used no more for what is new.
func (s *stream) forget(c *netio.Conn) {
	if s.g.conns[s.key] == c.ID() {
		delete(s.g.conns, s.key)
	}
}

// Close implements [netio.Handler].
func (s *stream) Close(c *netio.Conn, _ netio.Reason) {
	s.forget(c)
	unsent := s.unsent
	s.unsent = nil
	for _, b := range unsent {
		s.undelivered(b)
	}
}

// undelivered gives a message back that the connection will not carry.
func (s *stream) undelivered(b []byte) {
	s.g.stack.Undelivered(sip.Hop{Proto: s.key.proto, Local: s.local, Remote: s.key.remote, Stretch: s.stretch}, b)
}
