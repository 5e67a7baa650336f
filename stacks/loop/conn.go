package loop

import (
	"crypto/tls"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/netio"
	"github.com/hookd/hookd/stacks/netio/proxyproto"
)

// Conn is a connection, a listener or a timer: loopev.Conn for handlers. It belongs
// to its stack's shard. What it says of who it is stays true after the end.
type Conn struct {
	stack   *Stack
	c       *netio.Conn // nil for a listener and a timer
	socket  socket      // of a listener
	lis     *listener   // that took it, or that it is
	id      uint64
	kind    loopev.Kind
	inbound bool
	secure  bool

	session Session
	proto   Protocol
	limits  *bounds
	pass    *loopev.ProxyArgs // where it goes, decided before it was accepted
	asked   bool              // within Accept,
	answer  netio.Verdict     // whose answer this is

	delivery
	flags flags
	until event.Timer // of c:timer
	began int64
	ended int64 // when it was over; 0 before

	reader *reader   // who waits for bytes
	writer []*writer // who waits until all is written
	pair   *pair     // what it is piped to

	client, server Address
	path           string
	tags           []string
	slots          event.Slots
	before, after  *Conn // in the stack's list
	over           bool  // close was raised
}

// flags are what scripts set.
type flags uint8

const (
	noDefrag flags = 1 << iota
	deleteChunk
	broadcast
	sendAndClose
	closeNow
	paused
	isHeld // by the verdict hold or limit, or until a proxied connection is up
)

var _ loopev.Conn = (*Conn)(nil)

// socket is what a listener's connection listens by.
type socket interface {
	Pause()
	Resume()
	Close()
	Addr() netip.AddrPort
}

// Net returns the connection below; nil for a listener and a timer.
func (c *Conn) Net() *netio.Conn { return c.c }

// Stack returns the stack that has the connection.
func (c *Conn) Stack() *Stack { return c.stack }

// Shard returns the shard that it belongs to.
func (c *Conn) Shard() *event.Shard { return c.stack.sh }

// Session returns the protocol's session, nil for none.
func (c *Conn) Session() Session { return c.session }

// ID returns the connection's number, from 1 in the order in which they came to be
// in the process.
func (c *Conn) ID() uint64 { return c.id }

// Label returns "connection 17".
func (c *Conn) Label() string {
	word := "connection "
	if c.kind == loopev.KindListener {
		word = "listener "
	}
	return word + strconv.FormatUint(c.id, 10)
}

// Ended reports whether close was raised: its handlers still find the connection whole.
func (c *Conn) Ended() bool { return c.over }

// Slots returns where others attach data to the connection.
func (c *Conn) Slots() *event.Slots { return &c.slots }

// Kind returns what it is.
func (c *Conn) Kind() loopev.Kind { return c.kind }

// TLS reports whether the bytes travel by TLS.
func (c *Conn) TLS() bool { return c.secure }

// SNI returns the server's name in the TLS handshake, also where that is passed on, or
// what a proxy that took TLS off says it was.
func (c *Conn) SNI() (string, bool) {
	return c.agreed(proxyproto.Authority, func(s tls.ConnectionState) string { return s.ServerName })
}

// ALPN returns the protocol that was agreed on in the TLS handshake, or what a proxy
// that took TLS off says it was.
func (c *Conn) ALPN() (string, bool) {
	return c.agreed(proxyproto.ALPN, func(s tls.ConnectionState) string { return s.NegotiatedProtocol })
}

// agreed is what the handshake says, else the value that the proxy gave.
func (c *Conn) agreed(kind byte, of func(tls.ConnectionState) string) (text string, ok bool) {
	if c.c == nil {
		return "", false
	}
	if state, has := c.c.TLS(); has {
		text = of(state)
	} else if kind == proxyproto.Authority && c.c.Asked() != "" {
		text = c.c.Asked()
	} else if h := c.c.Proxied(); h != nil {
		v, _ := h.Value(kind)
		text = string(v)
	}
	return text, text != ""
}

// Protocol returns the protocol's name, empty for none.
func (c *Conn) Protocol() string {
	if c.proto == nil {
		return ""
	}
	return c.proto.Name()
}

// Listener returns the name of the listener that took it, or that it is.
func (c *Conn) Listener() (string, bool) {
	if c.lis == nil {
		return "", false
	}
	return c.lis.name, true
}

// Inbound reports whether the peer began.
func (c *Conn) Inbound() bool { return c.inbound }

// Outbound reports whether this side began.
func (c *Conn) Outbound() bool { return !c.inbound && c.c != nil }

// Client returns the end that began.
func (c *Conn) Client() loopev.Address { return &c.client }

// Server returns the other end; of a listener, where it listens.
func (c *Conn) Server() loopev.Address { return &c.server }

// Remote returns the end that is not here.
func (c *Conn) Remote() loopev.Address {
	if c.inbound {
		return &c.client
	}
	return &c.server
}

// SocketPath returns the path of a Unix socket.
func (c *Conn) SocketPath() (string, bool) { return c.path, c.path != "" }

// State returns where it is in its life.
func (c *Conn) State() loopev.State {
	switch {
	case c.over:
		return loopev.StateClosed
	case c.c == nil || c.c.Open() && c.flags&isHeld == 0:
		return loopev.StateOpen
	case c.c.Open():
		return loopev.StateHeld
	case !c.up:
		return loopev.StateConnecting
	}
	return loopev.StateClosing
}

// Paused reports whether a script paused it.
func (c *Conn) Paused() bool { return c.flags&paused != 0 }

// Started returns when it was accepted or dialled, in nanoseconds since the epoch.
func (c *Conn) Started() int64 { return c.began }

// Duration returns for how long it was there.
func (c *Conn) Duration() time.Duration {
	if c.began == 0 { // a listener of before time began
		return 0
	}
	if c.ended != 0 {
		return time.Duration(c.ended - c.began)
	}
	return time.Duration(max(0, c.stack.now()-c.began))
}

// Idle returns for how long no byte went either way.
func (c *Conn) Idle() time.Duration {
	if c.c == nil {
		return 0
	}
	return time.Duration(max(0, c.stack.now()-c.c.Active()))
}

// BytesIn returns how many bytes were received.
func (c *Conn) BytesIn() uint64 {
	if c.c == nil {
		return 0
	}
	n, _ := c.c.Counts()
	return n
}

// BytesOut returns how many bytes were written.
func (c *Conn) BytesOut() uint64 {
	if c.c == nil {
		return 0
	}
	_, n := c.c.Counts()
	return n
}

// Truncated reports whether the datagram at hand was longer than what is there.
func (c *Conn) Truncated() bool { return c.c != nil && c.c.Truncated() }

// EnableBroadcast reports whether it may send to broadcast addresses.
func (c *Conn) EnableBroadcast() bool { return c.flags&broadcast != 0 }

// Tags returns the words on the connection in the order they were put there.
func (c *Conn) Tags() []string { return slices.Clone(c.tags) }

// Address is one end of a connection: loopev.Address for handlers.
type Address struct {
	conn  *Conn
	at    netip.AddrPort
	slots event.Slots
}

var _ loopev.Address = (*Address)(nil)

// ID returns the connection's number.
func (a *Address) ID() uint64 { return a.conn.id }

// Label returns "client of connection 17".
func (a *Address) Label() string {
	if a == &a.conn.client {
		return "client of " + a.conn.Label()
	}
	return "server of " + a.conn.Label()
}

// Ended reports whether the connection did.
func (a *Address) Ended() bool { return a.conn.over }

// Slots returns where others attach data.
func (a *Address) Slots() *event.Slots { return &a.slots }

// String returns address and port.
func (a *Address) String() string { return a.Endpoint().String() }

// IP returns the address; none for a Unix socket and while a name is resolved.
func (a *Address) IP() netip.Addr { return a.Endpoint().Addr() }

// Port returns the port, 0 where there is none.
func (a *Address) Port() uint16 { return a.Endpoint().Port() }

// Endpoint returns both. That of this side is asked for when somebody wants it.
func (a *Address) Endpoint() netip.AddrPort {
	c := a.conn
	if !a.at.IsValid() && c.c != nil {
		a.at = unmap(c.c.Local())
		if (a == &c.client) == c.inbound {
			a.at = unmap(c.c.Remote())
		}
	}
	return a.at
}

// unmap makes an IPv4 address of one that is mapped into IPv6.
func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// recvLimit returns how many bytes may wait that nobody consumed.
func (c *Conn) recvLimit() int {
	if n := c.limits.opt.RecvLimit; n > 0 {
		return n
	}
	return 1 << 20
}

// sendHigh returns how many bytes in the queue are too many.
func (c *Conn) sendHigh() int {
	if n := c.limits.opt.SendHigh; n > 0 {
		return n
	}
	return 1 << 20
}
