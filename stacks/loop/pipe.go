package loop

import (
	"errors"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/netio"
)

// pair is two connections of which each gets what the other receives. Either is
// read only while the other's queue has room, and whether its own has none does not
// matter: two ends that wait for each other would wait for ever.
type pair struct {
	ends  [2]*Conn
	stall [2]bool // it is not read: the other's queue is full
	eof   [2]bool // its stream ended, and that is to be passed on
	proxy bool    // the first is held until the second is up
}

func (p *pair) at(c *Conn) int {
	if p.ends[0] == c {
		return 0
	}
	return 1
}

func (p *pair) other(c *Conn) *Conn { return p.ends[1-p.at(c)] }

func (p *pair) stalled(c *Conn) bool { return p.stall[p.at(c)] }

// Pipe joins two connections.
func (c *Conn) Pipe(_ *event.Caller, with loopev.Conn) error {
	other, ok := with.(*Conn)
	switch {
	case !ok || other.stack != c.stack:
		return errors.New("loop: pipe: the other connection is of another shard")
	case other == c:
		return errors.New("loop: pipe: a connection is not piped to itself")
	case c.pair != nil || other.pair != nil:
		return errors.New("loop: pipe: one of them is piped already")
	}
	for _, x := range []*Conn{c, other} {
		if err := x.stream(); err != nil {
			return err
		}
	}
	c.join(other, false)
	return nil
}

// join makes a pair.
func (c *Conn) join(other *Conn, proxy bool) {
	p := &pair{ends: [2]*Conn{c, other}, proxy: proxy}
	for i, x := range p.ends {
		x.pair, p.eof[i] = p, x.atEOF
		x.c.Duplex(true)
		if x.session != nil {
			x.session.Detach(x)
			x.session, x.proto = nil, nil
		}
		x.owed |= owesParse
		x.soon()
	}
}

// forward sends what c received on, and stops reading c when the other's queue is
// full.
func (c *Conn) forward() {
	p, i := c.pair, c.pair.at(c)
	to := p.other(c)
	if !to.up {
		return
	}
	if b := c.Bytes(); len(b) > 0 {
		if err := to.c.Send(b); err != nil {
			return // it is closing, and tells
		}
		c.Skip(len(b))
	}
	if to.c.Queued() >= to.sendHigh() && !p.stall[i] {
		p.stall[i] = true
		c.c.Pause()
	}
	if p.eof[i] {
		to.c.Shutdown()
	}
}

// drained reads again what was not read while c's queue was full.
func (p *pair) drained(c *Conn) {
	from := p.other(c)
	if i := p.at(from); p.stall[i] {
		p.stall[i] = false
		if from.flags&paused == 0 && !from.over {
			from.c.Resume()
		}
	}
}

// opened is about an end that was dialled and is up.
func (p *pair) opened(c *Conn) {
	from := p.other(c)
	if p.proxy && from.flags&isHeld != 0 {
		from.release()
	}
	from.owed |= owesParse
	from.soon()
}

// ended passes the end of c's stream on, behind its bytes.
func (p *pair) ended(c *Conn) {
	p.eof[p.at(c)] = true
	c.forward()
}

// closed passes the end of c on: a reset as a reset, else when all is written.
func (p *pair) closed(c *Conn, why netio.Reason) {
	to := p.other(c)
	to.pair, c.pair = nil, nil
	if to.over {
		return
	}
	switch {
	case !c.up && c.Outbound():
		to.fault(loopev.FaultPipe, "the other end cannot be reached: "+why.String())
		to.c.ResetWith(netio.Reason{Why: why.Why, What: why.What})
	case why.Why == netio.Reset:
		to.c.ResetWith(netio.Reason{Why: netio.Reset})
	default:
		to.c.Duplex(false)
		to.c.CloseWith(netio.Reason{Why: netio.EOF})
	}
}
