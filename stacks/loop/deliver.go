package loop

import (
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/netio"
)

// delivery is what a connection has to be told, while a handler of it waits or
// just now, and how far it got.
type delivery struct {
	inline int  // events of a protocol that are being raised
	holds  int  // handlers that wait, or events that are being raised
	busy   bool // deliver runs
	begun  bool // accept or connect was told,
	up     bool // and it is served
	owed   owed
	step   owed // the event that is being raised

	fresh    int  // bytes that came and were told nobody
	failed   bool // to connect, for this reason
	code     netio.Reason
	due      int64
	gram     []byte   // the datagram at hand, where it was kept
	grams    [][]byte // those that came while a handler waited
	messages []any
	atEOF    bool // the peer's stream ended
	posted   bool // deliver is to be called soon
	ending   bool // finish is
	// told is what the engine calls when an event was decided; made at the first.
	told func(event.Verdict, error)
}

// owed are events that a connection has to be told of, each once.
type owed uint16

const (
	owesAccept owed = 1 << iota
	owesConnect
	owesOpen  // the session, that it is up
	owesParse // the session, that there are bytes
	owesDrain
	owesTimer
	owesEOF
	owesQuit
	owesMessage
	owesRecv
)

// maxMessages and maxGrams bound what waits for a connection whose handler waits.
const (
	maxMessages = 64
	maxGrams    = 64
)

func (c *Conn) hold() { c.holds++ }

func (c *Conn) unhold() { c.holds-- }

// Waiting reports whether a handler of the connection waits: its session is not
// called meanwhile.
func (c *Conn) Waiting() bool { return c.holds > 0 }

// goOn tells what could not be told while a handler waited.
func (c *Conn) goOn() {
	if !c.busy {
		c.owed |= owesParse
		c.deliver()
	}
}

// deliver tells what is to be told, in the order in which connections live, until
// a handler waits.
func (c *Conn) deliver() {
	if c.busy {
		return
	}
	c.busy = true
	for c.holds == 0 && !c.over && c.next() {
	}
	c.busy = false
}

// next tells one thing and reports whether there was one.
func (c *Conn) next() bool {
	switch {
	case c.take(owesAccept):
		c.accept()
	case c.take(owesConnect):
		c.connect()
	case !c.up && c.c != nil || c.flags&isHeld != 0 && c.c.Datagrams():
		return false
	case c.take(owesOpen):
		if c.session != nil {
			c.session.Open(c)
		}
	case c.take(owesRecv):
		c.recv()
	case c.take(owesParse):
		c.parse()
	case len(c.grams) > 0 || c.gram != nil:
		c.nextGram()
	case c.take(owesDrain):
		c.drain()
	case c.take(owesTimer):
		e := &c.stack.events.timer
		*e = loopev.Timer{C: c, Due: c.due}
		raise(c, loopev.OnTimer, e, owesTimer)
	case len(c.messages) > 0:
		c.message()
	case c.take(owesQuit):
		c.quit()
	case c.take(owesEOF):
		c.eof()
	default:
		return false
	}
	return true
}

func (c *Conn) take(o owed) bool {
	if c.owed&o == 0 {
		return false
	}
	c.owed &^= o
	return true
}

// raise raises a core event and returns when its handlers returned or one waits.
// What they decided is seen to by decided.
func raise[E any](c *Conn, p event.Point[E], e *E, step owed) {
	if !p.Wanted(c.stack.sh) {
		c.decided(step, event.Verdict{})
		return
	}
	if c.told == nil {
		c.told = c.wasTold
	}
	c.step = step
	c.hold()
	p.Await(c.stack.sh, e, c.told)
}

// wasTold is called when an event was decided, at once or when who waited returned.
func (c *Conn) wasTold(v event.Verdict, err error) {
	c.unhold()
	if err == event.ErrQueue {
		c.fault(loopev.FaultQueue, err.Error())
	}
	if c.over {
		return
	}
	c.decided(c.step, v)
	c.deliver()
}

// decided does what follows an event.
func (c *Conn) decided(step owed, v event.Verdict) {
	switch step {
	case owesAccept:
		c.settleAccept(v)
	case owesConnect:
		c.settleConnect()
	case owesRecv:
		c.owed |= owesParse
	case owesDrain:
		if c.session != nil {
			c.session.Drain(c)
		}
	case owesEOF:
		c.settleEOF(v.Kind == loopev.VerdictHalf)
	}
}

// recv tells of the bytes that came since it was told last: first who waits for
// them, then what is bound, then the protocol.
func (c *Conn) recv() {
	n := c.fresh
	c.fresh = 0
	if n = min(n, c.unread()); n == 0 && !c.c.Datagrams() {
		return
	}
	e := &c.stack.events.recv
	*e = loopev.Recv{C: c, N: uint64(n)}
	raise(c, loopev.OnRecv, e, owesRecv)
}

// parse gives what is left to who reads the connection's bytes.
func (c *Conn) parse() {
	if c.pair == nil && c.unread() == 0 {
		return
	}
	switch {
	case c.reader != nil: // it began to wait in a handler of these bytes
		c.feedReader()
	case c.pair != nil:
		c.forward()
	case c.session != nil:
		c.session.Recv(c)
	}
}

func (c *Conn) drain() {
	e := &c.stack.events.drain
	*e = loopev.Drain{C: c}
	raise(c, loopev.OnDrain, e, owesDrain)
}

func (c *Conn) message() {
	e := &c.stack.events.message
	*e = loopev.Message{C: c, Message: c.messages[0]}
	c.messages = c.messages[1:]
	raise(c, loopev.OnMessage, e, owesMessage)
}

func (c *Conn) connect() {
	c.begun, c.up = true, !c.failed
	raise(c, loopev.OnConnect, c.connectEvent(), owesConnect)
}

func (c *Conn) connectEvent() *loopev.Connect {
	e := &c.stack.events.connect
	*e = loopev.Connect{C: c}
	if c.failed {
		e.Code = codeOf(c.code)
		e.Why, e.Reason = whyOf(c.code), c.code.String()
	}
	return e
}

// settleConnect goes on when an outgoing connection is up, or is not.
func (c *Conn) settleConnect() {
	if !c.up {
		return // close follows
	}
	c.owed |= owesOpen
	if c.pair != nil {
		c.pair.opened(c)
	}
}

// eof tells that the peer ended its stream.
func (c *Conn) eof() {
	e := &c.stack.events.eof
	*e = loopev.EOF{C: c}
	raise(c, loopev.OnEOF, e, owesEOF)
}

// settleEOF closes, unless somebody goes on writing.
func (c *Conn) settleEOF(half bool) {
	if c.session != nil && c.session.EOF(c) {
		half = true
	}
	if c.pair != nil {
		c.pair.ended(c)
		half = true
	}
	if !half && c.c != nil {
		c.c.CloseWith(netio.Reason{Why: netio.EOF})
	}
}

// quit is about a loop that drains.
func (c *Conn) quit() {
	if c.session != nil {
		c.session.Quit(c)
		return
	}
	c.c.CloseWith(netio.Reason{Why: netio.Stopped})
}

// fault raises loop.error, behind the connection's first event.
func (c *Conn) fault(kind loopev.Fault, message string) {
	c.stack.group.counts.faults.Add(1)
	if c.over || !c.begun && c.c != nil || !loopev.OnError.Wanted(c.stack.sh) {
		return
	}
	e := &c.stack.events.err
	*e = loopev.Error{C: c, Fault: kind, Message: message}
	loopev.OnError.Emit(c.stack.sh, e)
}

// Fault raises loop.error for what a protocol refuses.
func (c *Conn) Fault(message string) { c.fault(loopev.FaultProtocol, message) }

// HandlerFailed implements [event.Blamed]. A failure of the handlers of loop.error
// itself is not told again, nor is anything told behind close.
func (c *Conn) HandlerFailed(at event.PointID, message string) {
	if at != loopev.OnError.ID() && at != loopev.OnClose.ID() {
		c.fault(loopev.FaultHandler, message)
	}
}
