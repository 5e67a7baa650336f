package sip

import (
	"net/netip"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// branchState is where a branch is: RFC 3261's client transaction (17.1) as a proxy
// sees it.
type branchState uint8

const (
	built      branchState = iota // not sent yet
	calling                       // sent, nobody answered
	proceeding                    // a provisional reply came
	done                          // it has its final reply
	unsent                        // rules dropped it
)

// Branch is one place to which a request is forwarded. It implements [sipev.Branch].
type Branch struct {
	tx    *Tx
	index uint8
	state branchState
	uri   string
	hops  []Hop
	hop   int    // which of them is tried
	out   []byte // the request as it is sent, without Via until then
	ack   []byte // ACK of its negative reply
	bye   []byte // its CANCEL

	code          int    // latest status
	reply         []byte // final reply of 300 or more, as it came
	from          Hop    // where that came from
	by            sipev.FakedBy
	past          bool // of an earlier step: its reply does not count any more
	sent          bool
	strict        bool           // a strict router is next
	next          []byte         // URI of where it is sent, if not to where it says itself
	set           string         // of destinations that it is one of
	watched, rang bool           // somebody is to be told what becomes of it; it had a provisional reply
	socket        netip.AddrPort // address of ours that it is sent from, if that matters
	// recordRoute: the request says that this server stays in the path.
	recordRoute bool
	recorded    int // so many values of Record-Route say so
	// unwanted: it is to be cancelled, canceled: its CANCEL was sent.
	unwanted, canceled bool

	// tag is the To tag of its latest reply, where it is observed.
	tag string

	fr, retr, cretr     event.Timer
	interval, cinterval time.Duration
	until               int64 // when a CANCEL is repeated no more
}

// open reports whether a final reply may still come.
func (b *Branch) open() bool { return b.state < done }

// final reports whether nothing more is expected of the branch.
func (b *Branch) final() bool { return b.state >= done }

// stop stops the branch's timers, not those of its CANCEL.
func (b *Branch) stop() {
	b.tx.stack.stop(&b.fr)
	b.tx.stack.stop(&b.retr)
}

// to returns the hop that is tried.
func (b *Branch) to() *Hop { return &b.hops[b.hop] }

// Index implements [sipev.Branch].
func (b *Branch) Index() uint8 { return b.index }

// URI implements [sipev.Branch].
func (b *Branch) URI() string { return b.uri }

// Code implements [sipev.Branch].
func (b *Branch) Code() uint16 { return uint16(b.code) }

// Faked implements [sipev.Branch].
func (b *Branch) Faked() bool { return b.by != sipev.FakedByNone }

// Canceled implements [sipev.Branch].
func (b *Branch) Canceled() bool { return b.unwanted }

// start looks for where the branch's request goes.
func (b *Branch) start() {
	s := b.tx.stack
	m := &s.trial
	if err := m.load(b.out, Hop{}, s.replyLimits()); err != nil {
		b.fail(sipev.FakedBySend, 500, "Server Internal Error")
		return
	}
	target := b.next
	if target == nil {
		target = append(target, nextHop(&m.Message, b.strict)...)
	}
	s.arm(&b.fr, b.tx.fr, b.expire)
	s.out.Find(target, func(hops []Hop, err error) {
		switch {
		case b.state != built || b.tx.state == terminated:
		case err != nil || len(hops) == 0:
			b.fail(sipev.FakedBySend, 503, "Service Unavailable")
		case b.tx.cancel || b.unwanted:
			b.fail(sipev.FakedByCancel, 487, "Request Terminated")
		default:
			b.hops = leaving(hops, b.socket)
			b.try()
		}
	})
}

// try sends the request to the first of its hops that takes it.
func (b *Branch) try() {
	t, s := b.tx, b.tx.stack
	base := b.out
	for ; b.hop < len(b.hops); b.hop++ {
		id := branchID{t.id, b.index, t.route}
		out, recorded, err := s.print(base, b.to(), id, b.recording())
		if err == nil && len(out) > s.cfg.MaxDatagram && stretch(&b.hops, b.hop) {
			out, recorded, err = s.print(base, b.to(), id, b.recording())
		}
		if err != nil {
			break
		}
		b.recorded = recorded
		b.out = append([]byte(nil), out...)
		if !s.send(*b.to(), b.out) {
			continue
		}
		b.state, b.sent = calling, true
		b.timers()
		b.raiseRequestSent(b.out, false)
		b.raiseRequestOut()
		return
	}
	b.hop = 0
	b.fail(sipev.FakedBySend, 503, "Service Unavailable")
}

// timers starts A or E, and B or F (RFC 3261, 17.1.1.2, 17.1.2.2).
func (b *Branch) timers() {
	s := b.tx.stack
	s.arm(&b.fr, b.tx.fr, b.expire)
	if !b.to().Reliable() {
		b.interval = s.cfg.T1
		s.arm(&b.retr, b.interval, b.resend)
	}
}

// resend repeats the request while nobody has answered; what is no INVITE, until its
// final reply.
func (b *Branch) resend(int64) {
	t, s := b.tx, b.tx.stack
	if b.final() || b.state == proceeding && t.invite() {
		return
	}
	if s.send(*b.to(), b.out) && t.waits == waitsNot {
		b.raiseRequestSent(b.out, true)
	}
	b.interval *= 2
	if b.state == proceeding || !t.invite() {
		b.interval = min(b.interval, s.cfg.T2)
	}
	s.arm(&b.retr, b.interval, b.resend)
}

// expire ends a branch that nobody answered, or that rang too long.
func (b *Branch) expire(int64) {
	t := b.tx
	switch {
	case b.final():
	case t.final():
		b.state = done
		b.stop()
		b.over(GivenUp)
	case t.invite() && b.state == calling && b.elsewhere(408):
	case t.mute(b):
		b.state = done
		b.stop()
		b.over(Unreached)
		t.state = given
		t.raiseSilent()
		t.linger()
		t.lean()
	default:
		b.timeout()
	}
}

// timeout ends a branch that had time enough; one that rings is told so.
func (b *Branch) timeout() {
	ringing := b.state == proceeding
	b.fail(sipev.FakedByTimer, 408, "Request Timeout")
	if ringing && b.tx.invite() {
		b.giveUp(408)
	}
}

// mute reports whether a timeout is to pass in silence: TM's silent C timer.
func (t *Tx) mute(b *Branch) bool {
	return !t.noisy && !t.mine && t.invite() && len(t.branches) == 1 && b.state == calling && !t.cancel &&
		!sipev.OnOnFailure.Wanted(t.stack.shard) && !sipev.OnOnFailureRo.Wanted(t.stack.shard)
}

// fail ends a branch with a reply that is made here.
func (b *Branch) fail(by sipev.FakedBy, code int, reason string) {
	if b.final() {
		return
	}
	b.stop()
	if b.tx.final() {
		b.state = done
		b.over(GivenUp)
		return
	}
	b.tx.failed(b, b.tx.stack.faked(b.tx, by, code, reason, nil))
}

// acknowledge sends the ACK of a negative final reply, made once of the INVITE as it
// was sent (RFC 3261, 17.1.1.3).
func (b *Branch) acknowledge(reply *Message) {
	s := b.tx.stack
	again := b.ack != nil
	if !again {
		m := &s.trial
		if err := m.load(b.out, Hop{}, s.replyLimits()); err != nil {
			return
		}
		b.ack = msg.AppendAck(nil, &m.Message, &reply.Message)
	}
	if s.send(*b.to(), b.ack) {
		b.raiseRequestSent(b.ack, again)
	}
}
