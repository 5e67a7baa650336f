package sip

import (
	"net/netip"
	"strconv"

	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// Hop is one end of the way that a message takes: a peer, and how it is reached.
type Hop struct {
	Proto  sipev.Transport
	Local  netip.AddrPort // address of ours that it came to, or leaves from; zero: any
	Remote netip.AddrPort
	Conn   uint64 // connection that it came by, 0 for none: what is sent there goes the same way
	Name   string // domain whose certificate is wanted of who is connected to over TLS; empty: the address's
	// Stretch: what is too long for a datagram is sent there by TCP first (RFC 3261, 18.1.1);
	// of a hop by TCP, that it is only this, and UDP is left.
	Stretch bool
}

// Reliable reports whether what carries the message repeats what is lost.
func (h *Hop) Reliable() bool { return h.Proto > sipev.TransportUDP }

// stream reports whether messages are divided by Content-Length alone.
func (h *Hop) stream() bool {
	return h.Proto == sipev.TransportTCP || h.Proto == sipev.TransportTLS
}

// Transport is what a stack needs of the world. Its methods are called with the
// shard entered and do not block.
type Transport interface {
	// Send writes one message. b is the stack's: what does not leave before Send
	// returns is copied. An error means that it cannot be sent there, now or later; of what
	// turns out later the stack is told by [Stack.Undelivered].
	Send(to Hop, b []byte) error
	// Find says where requests to a URI go, best first (RFC 3263). then is called once,
	// with the shard entered, perhaps before Find returns; its hops are not changed
	// afterwards.
	Find(uri []byte, then func([]Hop, error))
	// Self reports whether a host, and a port or 0, name this server.
	Self(host []byte, port uint16) bool
	// SentBy appends the host and port of ours that Via and Record-Route show to a peer.
	SentBy(dst []byte, to Hop) []byte
}

// hop is a Hop as scripts see it.
type hop struct{ Hop }

// IP implements [sipev.Hop].
func (h *hop) IP() netip.Addr { return h.Remote.Addr() }

// Port implements [sipev.Hop].
func (h *hop) Port() uint16 { return h.Remote.Port() }

// Endpoint implements [sipev.Hop].
func (h *hop) Endpoint() netip.AddrPort { return h.Remote }

// Transport implements [sipev.Hop].
func (h *hop) Transport() sipev.Transport { return h.Proto }

// viaWord is what Via calls each transport.
func viaWord(p sipev.Transport) string {
	switch p {
	case sipev.TransportTCP:
		return "TCP"
	case sipev.TransportTLS:
		return "TLS"
	case sipev.TransportWS:
		return "WS"
	case sipev.TransportWss:
		return "WSS"
	default:
		return "UDP"
	}
}

// replyHop says where replies to a request go (RFC 3261, 18.2.2; RFC 3581, 4): by
// the connection that it came by, else to the address that it came from, at the port
// that it came from if it asked for that.
func replyHop(from Hop, via *msg.Via) Hop {
	if from.Reliable() {
		return from
	}
	if _, asked := via.Params.Get("rport"); asked {
		return from
	}
	port := via.Port
	if port == 0 {
		port = 5060
	}
	from.Remote = netip.AddrPortFrom(from.Remote.Addr(), port)
	return from
}

// stamped appends the topmost Via of a request, which is value, with what a server says there
// of where the request came from (RFC 3261, 18.2.1; RFC 3581, 4): the port where that is asked
// for, and the address where it differs from what Via says or the port is asked for. What the
// sender claimed of both goes, since replies find their way by them.
func stamped(dst, value []byte, via *msg.Via, from Hop) []byte {
	addr := from.Remote.Addr().Unmap()
	said, err := netip.ParseAddr(string(bare(via.Host)))
	_, asked := via.Params.Get("rport")
	_, told := via.Params.Get("received")
	at := 0
	via.Params.Each(func(name, claimed []byte) bool {
		port := msg.EqualFold(name, []byte("rport"))
		if !port && !msg.EqualFold(name, []byte("received")) {
			return true
		}
		end := cap(value) - cap(name) + len(name)
		dst = append(append(dst, value[at:end]...), '=')
		if at = end; claimed != nil {
			at = cap(value) - cap(claimed) + len(claimed)
		}
		if port {
			dst = strconv.AppendUint(dst, uint64(from.Remote.Port()), 10)
		} else {
			dst = addr.AppendTo(dst)
		}
		return true
	})
	dst = append(dst, value[at:]...)
	if !told && (asked || err != nil || said.Unmap() != addr) {
		dst = addr.AppendTo(append(dst, ";received="...))
	}
	return dst
}

// bare returns a host without the brackets of an IPv6 address.
func bare(host []byte) []byte {
	if len(host) > 2 && host[0] == '[' {
		return host[1 : len(host)-1]
	}
	return host
}
