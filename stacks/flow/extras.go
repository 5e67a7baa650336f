package flow

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hookd/hookd/engine/event"
)

// Limits of what is remembered of one end.
const (
	maxGiven  = 64 // gaps that were given up, the latest
	maxTakers = 64 // scripts that take from one stream
)

// extras are what few ends need.
type extras struct {
	slots, sentSlots event.Slots
	takers           []taker
	trials           []taker // of scripts that are only tried
	given            []span  // gaps that were given up
	dropped          span    // holds all bytes that rules dropped and the receiver has not got
	otherISN         uint32
	hasOther         bool  // its SYN/ACK came again with otherISN: which holds is known by its acknowledgment
	answers          uint8 // RSTs made for packets that came after the connection was cut

	far   int64 // a place in its stream, beyond all windows, that one of the ends spoke of last
	farBy farBy // which of them

	due   int64 // what the other end acknowledged at the time since
	since int64
}

// farBy says who spoke of a place beyond all windows.
type farBy uint8

const (
	farNone farBy = iota
	farSeq        // the sender: bytes there
	farAck        // the receiver: it acknowledged so far
)

// overdue reports whether the bytes that are missing at wire in p's stream were acknowledged so long
// ago that the capture will not bring them, and up to which place that is so. It notes when it first
// sees that some were.
func (p *Peer) overdue(now, wait int64) (to int64, ok bool) {
	t := &p.sent
	if t.acked <= t.wire {
		return 0, false
	}
	e := p.extra()
	if e.due <= t.wire {
		e.due, e.since = t.acked, now
	}
	return e.due, now-e.since >= wait
}

// taker is a script's place in a stream.
type taker struct {
	script string
	at     int64
	trial  uint64 // that it is for, 0 for the live script
}

// extra returns p's extras, which it has from then on.
func (p *Peer) extra() *extras {
	if p.extras == nil {
		p.extras = new(extras)
	}
	return p.extras
}

// used reports whether anybody attached data to the end.
func (p *Peer) used() bool {
	return p.extras != nil && (p.extras.slots.Used() || p.extras.sentSlots.Used())
}

// gave notes a gap that was given up.
func (e *extras) gave(g span) {
	if len(e.given) == maxGiven {
		e.given = append(e.given[:0], e.given[1:]...)
	}
	e.given = append(e.given, g)
}

// within reports whether all of off..end lies in one gap that was given up.
func (e *extras) within(off, end int64) bool {
	for _, g := range e.given {
		if g.off <= off && end <= g.end {
			return true
		}
	}
	return false
}

// taken is the place before which all scripts that take have taken everything, 0 if none takes.
func (e *extras) taken() int64 {
	if len(e.takers) == 0 {
		return 0
	}
	at := e.takers[0].at
	for _, t := range e.takers {
		at = min(at, t.at)
	}
	return at
}

// putBack moves the scripts that have taken bytes from place at on back there.
func (e *extras) putBack(at int64) {
	for _, list := range [][]taker{e.takers, e.trials} {
		for i := range list {
			list[i].at = min(list[i].at, at)
		}
	}
}

var (
	errTakers  = fmt.Errorf("flow: at most %d scripts take from one stream", maxTakers)
	errNotKept = errors.New("flow: streams are not kept")
)

// takerOf returns the caller's place in the stream.
func (e *extras) takerOf(c *event.Caller) (*taker, error) {
	switch {
	case c == nil:
		return e.taker("")
	case c.Shadow != 0:
		return e.trial(c)
	}
	return e.taker(c.Script)
}

// trial returns the place of a script that is only tried: at first that of the live
// one. It holds no bytes back.
func (e *extras) trial(c *event.Caller) (*taker, error) {
	i := slices.IndexFunc(e.trials, func(t taker) bool { return t.script == c.Script })
	if i < 0 {
		if len(e.trials) == maxTakers {
			return nil, errTakers
		}
		i = len(e.trials)
		e.trials = append(e.trials, taker{script: c.Script})
	}
	t := &e.trials[i]
	if t.trial != c.Shadow {
		*t = taker{script: c.Script, trial: c.Shadow}
		if k := slices.IndexFunc(e.takers, func(t taker) bool { return t.script == c.Script }); k >= 0 {
			t.at = e.takers[k].at
		}
	}
	return t, nil
}

// taker returns the script's place in the stream.
func (e *extras) taker(script string) (*taker, error) {
	for i := range e.takers {
		if e.takers[i].script == script {
			return &e.takers[i], nil
		}
	}
	if len(e.takers) == maxTakers {
		return nil, errTakers
	}
	e.takers = append(e.takers, taker{script: script})
	return &e.takers[len(e.takers)-1], nil
}
