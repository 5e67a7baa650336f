package netio

import (
	"github.com/hookd/hookd/engine/event"
)

// maxLingerers is how many closed connections of a loop wait for their peers.
const maxLingerers = 1024

// lingerer is the socket of a connection that was closed after bytes were written to
// it, and whose peer did not end its stream. What such a peer still sends would be
// answered with a reset (RFC 2525 section 2.17), and it could lose what it was sent
// last. So our stream is ended, and what comes is thrown away until the peer ends its
// own, for a bounded time.
type lingerer struct {
	loop  *Loop
	w     wire
	id    ID
	timer event.Timer
	left  int // bytes that are still read
}

// shouldLinger reports whether closing could take from the peer what it was sent.
func (c *Conn) shouldLinger() bool {
	return c.flags&flushClose != 0 && c.flags&(sawEOF|sawBroken|connecting) == 0 && c.nwriten > 0 &&
		c.opt.Linger > 0 && c.loop.mayLinger()
}

func (l *Loop) mayLinger() bool { return !l.ended.Load() && l.lingering < maxLingerers }

// linger takes over the socket of c.
func (l *Loop) linger(c *Conn) {
	g := &lingerer{loop: l, w: c.w, left: 16 << 20}
	if c.tls != nil {
		if c.tls.hs != nil {
			c.tls.hs.end(ErrClosed)
		}
		c.tls.drop()
		g.w = c.tls.wire // what comes is not looked at
	}
	if c.flags&didShut == 0 && g.w.shut() != nil {
		g.w.close(false)
		return
	}
	g.id = l.slots.add(g)
	l.open++
	l.lingering++
	g.w.attach(g.id)
	if g.w.watch(readable|gone) != nil {
		g.end()
		return
	}
	l.sh.Timers().Arm(&g.timer, l.time()+int64(c.opt.Linger), func(int64) { g.end() })
}

func (g *lingerer) ready(readiness) {
	n, err := g.w.read(g.loop.read)
	if g.left -= n; err != nil && err != errAgain || g.left <= 0 {
		g.end()
	}
}

func (g *lingerer) end() {
	g.loop.sh.Timers().Stop(&g.timer)
	g.w.close(false)
	g.loop.slots.remove(g.id)
	g.loop.open--
	g.loop.lingering--
	g.loop.drained()
}
