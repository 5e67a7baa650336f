package loop

import (
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/netio"
)

// Protocol makes bytes mean something: HTTP, MQTT, DNS. It is registered with
// [Config].Protocols and used by all shards, so it keeps nothing that changes;
// what belongs to a connection is in its [Session].
type Protocol interface {
	// Name is what c.protocol says and c:use takes: "http".
	Name() string
	// Schemes are the URL schemes that mean it.
	Schemes() []Scheme
	// Options checks what the table of a listener, or of loop.dial, says beside what
	// every one may have (url, limits, tls and so on), and returns what Attach gets.
	// list has only what is left; an error names the key that is wrong. It is called
	// by any goroutine, also where nothing is opened.
	Options(list []event.KV, inbound bool) (any, error)
	// Attach begins the protocol on a connection: on one that was accepted before its
	// accept event, on one that is dialled before it is up, and where a script says
	// c:use. options is what Options returned, nil for the defaults. An error leaves
	// the connection without protocol, and closes one that is new.
	Attach(c *Conn, options any) (Session, error)
}

// Scheme is a URL scheme.
type Scheme struct {
	Name string // "https"
	// Network is "tcp" or "udp".
	Network string
	// TLS says that the bytes travel by TLS, in whose handshake ALPN (RFC 7301) is
	// offered, unless a script says otherwise.
	TLS  bool
	ALPN []string
	// Port is where it is without a port in the URL; 0: there has to be one.
	Port uint16
}

// Session is a protocol on one connection. Its methods are called in the
// connection's shard, never while a handler runs, and not while a handler of the
// connection waits: what came meanwhile is told when that returned. Embed
// [BaseSession] to leave out what does not matter.
//
// A session raises its events by [Await] where their hook point declares `waits:
// suspend`, else by Point.Emit, having asked Point.Wanted.
type Session interface {
	// Open says that the connection is up, and accept or connect was told. It is not
	// called by c:use, where it is up already.
	Open(c *Conn)
	// Recv says that there are bytes, behind the event recv: c.Bytes() is lent until
	// the session consumes by c.Skip or returns. What it leaves is there again, with
	// more behind it, at the next Recv. It is called again, without new bytes, when a
	// handler that waited returned. From a UDP peer it is one datagram, and what is
	// left of it is dropped. It returns when nothing can be done with what is there,
	// when c.Waiting() says that a handler waits, and when c.Session() is another.
	Recv(c *Conn)
	// Sent says that n bytes were written; c.Queued() says how many wait.
	Sent(c *Conn, n int)
	// Drain says that the queue fell to its low mark after it was full: who produces
	// more than fits into a queue goes on.
	Drain(c *Conn)
	// EOF says that the peer ended its stream, behind the event eof. With half the
	// connection goes on writing; else it closes when its queue is written.
	EOF(c *Conn) (half bool)
	// Quit says that the loop drains: end what goes on, and close c.
	Quit(c *Conn)
	// Close says that the connection ended, before the event close: the last chance
	// to raise something. Bytes that are left can be read.
	Close(c *Conn, why netio.Reason)
	// Detach says that the session is no longer that of the connection, which goes on.
	Detach(c *Conn)
}

// BaseSession does nothing: it leaves bytes where they are, closes at the peer's
// end and when the loop drains.
type BaseSession struct{}

// Open does nothing.
func (BaseSession) Open(*Conn) {}

// Recv consumes nothing.
func (BaseSession) Recv(*Conn) {}

// Sent does nothing.
func (BaseSession) Sent(*Conn, int) {}

// Drain does nothing.
func (BaseSession) Drain(*Conn) {}

// EOF has c closed when its queue is written.
func (BaseSession) EOF(*Conn) bool { return false }

// Quit closes c when its queue is written.
func (BaseSession) Quit(c *Conn) { c.Net().Close() }

// Close does nothing.
func (BaseSession) Close(*Conn, netio.Reason) {}

// Detach does nothing.
func (BaseSession) Detach(*Conn) {}

// Await raises an event of a protocol for a connection, whose handlers may wait, and
// calls then with what they decided: before it returns, where none waits; the session
// is not called meanwhile, so it goes on in then or in the Recv that follows it.
// c is the event's subject, in the shard that is entered. e is lent until Await
// returns: what it refers to must last, so objects that are lent to handlers are not
// used again for another event before then was called. The error is event.ErrCanceled
// where the connection ended while a handler waited.
//
// then is called with an event that nothing is bound to, too: ask Wanted before.
func Await[E any](c *Conn, p event.Point[E], e *E, then func(event.Verdict, error)) {
	AwaitOnce(c, p, e, c.Then(then))
}

// AwaitOnce is [Await] without its closure, for protocols that raise an event for each
// message: done is made once for a connection, by [Conn.Then].
func AwaitOnce[E any](c *Conn, p event.Point[E], e *E, done func(event.Verdict, error)) {
	c.hold()
	c.inline++
	p.Await(c.stack.sh, e, done)
	c.inline--
}

// Then returns what [AwaitOnce] takes for this connection: it calls then as Await
// does. A session keeps it.
func (c *Conn) Then(then func(event.Verdict, error)) func(event.Verdict, error) {
	return func(v event.Verdict, err error) {
		c.unhold()
		then(v, err)
		if c.inline == 0 { // it waited; else who raised the event goes on
			c.goOn()
		}
	}
}

// Again has the session's Recv called once nothing runs that it could interrupt: for
// sessions that left bytes until something else was done.
func (c *Conn) Again() {
	c.owed |= owesParse
	c.soon()
}
