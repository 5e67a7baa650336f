package loop

import (
	"math"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/netio"
)

// How long a connection is held, and a proxied one's other end dialled.
const (
	holdTime  = 30 * time.Second
	proxyTime = 10 * time.Second
)

// rejected is why a connection ends that a rule refused.
var rejected = netio.Reason{Why: netio.Rejected}

// Accept is the first that is told of a connection that came in.
func (p *port) Accept(n *netio.Conn) netio.Verdict {
	c := p.s.accepted(p, n)
	c.asked = true
	c.owed |= owesAccept
	c.deliver()
	c.asked = false
	if c.holds > 0 && c.answer == netio.Accept && c.reader == nil {
		return c.keepBack(holdTime)
	}
	return c.answer
}

// accepted makes a connection of one that came in.
func (s *Stack) accepted(p *port, n *netio.Conn) *Conn {
	kind := loopev.KindTCP
	switch {
	case n.Datagrams():
		kind = loopev.KindUDP
	case n.Path() != "":
		kind = loopev.KindUnix
	}
	c := s.add(kind)
	c.c, c.lis, c.inbound, c.path, c.secure = n, p.l, true, n.Path(), n.Encrypted() || s.group.cfg.Memory != nil && p.spec.tls != nil
	c.pass, _ = n.Data.(*loopev.ProxyArgs)
	n.Data = c
	c.client.at = unmap(n.Remote())
	c.limits = &p.spec.bounds
	if c.pass != nil {
		return c // its bytes are for another server
	}
	if proto := p.spec.protocol; proto != nil {
		session, err := proto.Attach(c, p.spec.options)
		if err != nil {
			c.answer = netio.Reject
			p.conn.fault(loopev.FaultProtocol, err.Error())
		}
		c.session, c.proto = session, proto
	}
	return c
}

// keepBack has netio not read the connection. There is nobody to hold a UDP peer
// back: what it sends is kept, as far as there is room.
func (c *Conn) keepBack(most time.Duration) netio.Verdict {
	c.flags |= isHeld
	c.c.Deadline("hold", most)
	if !c.asked {
		c.c.Pause()
	}
	if c.c.Datagrams() {
		return netio.Accept
	}
	return netio.Hold
}

// release reads a connection that was held.
func (c *Conn) release() {
	c.flags &^= isHeld
	c.c.Deadline("", 0)
	c.c.Resume()
	c.soon()
}

// goAhead is what an accepted connection does: it is read, or passed on to whom a rule chose
// at the hello.
func (c *Conn) goAhead(held bool) {
	if a := c.pass; a != nil {
		c.pass = nil
		c.proxyTo(a)
	} else if held {
		c.release()
	}
}

// accept asks rules about the connection.
func (c *Conn) accept() {
	if c.answer != netio.Accept {
		return
	}
	if b := c.limits; b.rate > 0 && c.tooFast("", b.rate, b.burst, b.burst > 0, false) > 0 {
		c.refuse(nil)
		return
	}
	c.begun = true
	if !loopev.OnAccept.Wanted(c.stack.sh) {
		c.settleAccept(event.Verdict{})
		return
	}
	e := &c.stack.events.accept
	*e = loopev.Accept{C: c}
	e.Conns, e.SameIP = c.lis.count(c)
	raise(c, loopev.OnAccept, e, owesAccept)
}

// settleAccept does what was decided: within Accept by its answer, later by hand.
func (c *Conn) settleAccept(v event.Verdict) {
	waited := c.flags&isHeld != 0
	c.up = true
	switch v.Kind {
	case loopev.VerdictReject:
		c.refuse(v.Args)
	case loopev.VerdictReset:
		c.refuseReset()
	case loopev.VerdictHold:
		most := holdTime
		if args, ok := v.Args.(*loopev.HoldArgs); ok && args.HasTime {
			most = args.Time
		}
		c.answer = c.keepBack(most)
	case loopev.VerdictLimit:
		c.limit(v.Args.(*loopev.LimitArgs), waited)
	case loopev.VerdictProxy:
		c.proxyTo(v.Args.(*loopev.ProxyArgs))
	default:
		c.goAhead(waited)
	}
	if c.answer != netio.Reject && c.answer != netio.RejectReset {
		c.owed |= owesOpen
	}
}

func (c *Conn) refuse(args any) {
	c.up = false
	if a, ok := args.(*loopev.RejectArgs); ok && a != nil && len(a.With) > 0 {
		// Where it cannot be queued it is not sent: the connection ends anyway.
		_ = c.c.Send(a.With)
	}
	c.answer = netio.Reject
	if !c.asked {
		c.c.CloseWith(rejected)
	}
}

func (c *Conn) refuseReset() {
	c.up = false
	c.answer = netio.RejectReset
	if !c.asked {
		c.c.ResetWith(rejected)
	}
}

// limit asks the bucket of the connection's kind.
func (c *Conn) limit(a *loopev.LimitArgs, waited bool) {
	s := c.stack
	wait := c.tooFast("verdict\x00"+a.Key, a.Rate, a.Burst, a.HasBurst, a.Excess == loopev.ExcessHold)
	if wait == 0 {
		c.goAhead(waited)
		return
	}
	switch {
	case a.Excess == loopev.ExcessReset:
		c.refuseReset()
	case a.Excess == loopev.ExcessHold && wait < holdTime:
		c.answer = c.keepBack(holdTime)
		// A timer of its own: c.until is the script's.
		s.sh.Timers().Arm(new(event.Timer), s.now()+int64(wait), func(int64) {
			if c.flags&isHeld != 0 && !c.over {
				c.goAhead(true)
			}
		})
		s.io.Stir()
	default:
		c.refuse(nil)
	}
}

// tooFast asks the bucket of a key, or of the client's address, and tells of a token
// that there is not: it returns when there will be one, 0 where there was.
func (c *Conn) tooFast(key string, rate float64, most uint32, hasMost, promise bool) time.Duration {
	s := c.stack
	if key == "" || key == "verdict\x00" {
		key += c.client.IP().String()
	}
	burst := math.Max(1, math.Ceil(rate))
	if hasMost {
		burst = math.Max(1, float64(most))
	}
	wait := s.group.tokens.take(c.lis.name+"\x00"+key, rate, burst, s.now(), promise)
	if wait > 0 {
		c.lis.tellLimit(s, loopev.LimitedRate, c.client.Endpoint())
	}
	return wait
}

// proxyTo pipes the connection to another, which is dialled.
func (c *Conn) proxyTo(a *loopev.ProxyArgs) {
	most := proxyTime
	if a.HasConnect {
		most = a.Connect
	}
	up, err := c.stack.dial(a.URL, dialSpec{connect: most})
	if err != nil {
		c.fault(loopev.FaultProxy, err.Error())
		c.refuseReset()
		return
	}
	c.answer = c.keepBack(2 * most)
	c.join(up, true)
}
