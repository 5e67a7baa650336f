package netio

// Handler is told what happens to connections, in the loop's shard. Embed [Base]
// to leave out what does not matter.
type Handler interface {
	// Accept is the first call for a connection that came in, before a byte is read;
	// for a UDP peer before its first datagram.
	Accept(c *Conn) Verdict
	// Connect is the first call for a connection that was dialled: nil, or a [Reason],
	// and then Close follows.
	Connect(c *Conn, err error)
	// Recv says that n more bytes are at the end of what c has; what is not consumed
	// stays. From a UDP peer it is one datagram, and what is not consumed is dropped.
	Recv(c *Conn, n int)
	// Send says that n bytes were written and left the queue.
	Send(c *Conn, n int)
	// EOF says that the peer ended its stream and all it sent was told. Without half,
	// c is closed when its queue is written; with it, c goes on writing.
	EOF(c *Conn) (half bool)
	// Full says that a bound was reached: reading pauses until the handler consumes,
	// or until the queue is drained.
	Full(c *Conn, side Side)
	// Drained says that the queue fell to its low mark after Full.
	Drained(c *Conn)
	// Quit says that the loop drains: end c when its work is done.
	Quit(c *Conn)
	// Close is the last call. What was received and not consumed is still there; the
	// socket is gone.
	Close(c *Conn, why Reason)
}

// Verdict says what becomes of a connection that comes in.
type Verdict uint8

// The verdicts.
const (
	// Accept serves it.
	Accept Verdict = iota
	// Reject closes it after what the handler queued is written.
	Reject
	// RejectReset resets it at once.
	RejectReset
	// Hold keeps it without reading until [Conn.Resume]; at most for Options.Hold.
	Hold
)

// Side is a direction of a connection.
type Side uint8

// The sides.
const (
	RecvSide Side = iota
	SendSide
)

// String returns "recv" or "send".
func (s Side) String() string {
	if s == RecvSide {
		return "recv"
	}
	return "send"
}

// Base does nothing: it accepts all, keeps what comes in, closes at the peer's
// end, and when the loop drains.
type Base struct{}

// Accept accepts.
func (Base) Accept(*Conn) Verdict { return Accept }

// Connect does nothing.
func (Base) Connect(*Conn, error) {}

// Recv consumes nothing.
func (Base) Recv(*Conn, int) {}

// Send does nothing.
func (Base) Send(*Conn, int) {}

// EOF has c closed when its queue is written.
func (Base) EOF(*Conn) bool { return false }

// Full does nothing.
func (Base) Full(*Conn, Side) {}

// Drained does nothing.
func (Base) Drained(*Conn) {}

// Quit closes c when its queue is written.
func (Base) Quit(c *Conn) { c.Close() }

// Close does nothing.
func (Base) Close(*Conn, Reason) {}
