package flow

import (
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
)

// events are the structs that events are raised with, one a kind: handlers never nest, so each is
// free again when its handlers returned.
type events struct {
	pktIn     flowev.PktIn
	connStart flowev.ConnStart
	adopted   flowev.ConnAdopted
	state     flowev.TCPStateChange
	rexmit    flowev.Rexmit
	newData   flowev.NewData
	gap       flowev.Gap
	failure   flowev.Error
	closed    flowev.SideClosed
	connEnd   flowev.ConnEnd
	orphan    flowev.Orphan
	blocked   flowev.Blocked
}

func (s *Stack) raisePktIn(p *Peer, at event.Point[flowev.PktIn]) {
	if at.Wanted(s.sh) && !p.stopped {
		s.ev.pktIn.C, s.ev.pktIn.Side = p.conn, p.side() // Pkt is there from the start
		s.decide(p.conn, at.Emit(s.sh, &s.ev.pktIn))
	}
}

func (s *Stack) raiseStart(p *Peer, at event.Point[flowev.ConnStart]) {
	if at.Wanted(s.sh) && !p.stopped {
		s.ev.connStart = flowev.ConnStart{C: p.conn, Pkt: &s.pkt, Side: p.side()}
		s.decide(p.conn, at.Emit(s.sh, &s.ev.connStart))
	}
}

// raiseState raises a change of p's state; byPacket is false where a timer caused it.
func (s *Stack) raiseState(p *Peer, at event.Point[flowev.TCPStateChange], from, to state, byPacket bool) {
	if at.Wanted(s.sh) && !p.stopped {
		s.ev.state = flowev.TCPStateChange{C: p.conn, Side: p.side(), Old: from, New: to}
		if byPacket {
			s.ev.state.Pkt = &s.pkt
		}
		s.decide(p.conn, at.Emit(s.sh, &s.ev.state))
	}
}

func (s *Stack) raiseAdopted(p *Peer) {
	if flowev.OnConnAdopted.Wanted(s.sh) && !p.stopped {
		s.ev.adopted = flowev.ConnAdopted{C: p.conn, Pkt: &s.pkt, Side: p.side()}
		s.decide(p.conn, flowev.OnConnAdopted.Emit(s.sh, &s.ev.adopted))
	}
}

// raiseRexmit raises that st carries what was sent before, with the first copy as far as it is
// stored and anybody reads it: of a capture it would have to be read again.
func (s *Stack) raiseRexmit(st *step, p *Peer, at event.Point[flowev.Rexmit]) {
	if !at.Wanted(s.sh) || p.stopped {
		return
	}
	s.ev.rexmit = flowev.Rexmit{C: p.conn, Pkt: &s.pkt, Side: p.side(), Kind: st.kind}
	if s.firsts && st.off < st.end && st.usable {
		s.firstCopy(st)
	}
	s.decide(p.conn, at.Emit(s.sh, &s.ev.rexmit))
	s.old.bytes = nil
}

// firstCopy fills in what the rexmit event says of the first copy of st's bytes.
func (s *Stack) firstCopy(st *step) {
	e := &s.ev.rexmit
	old, off, compared, differ := st.x.sent.first(&s.mem, st.off, st.data)
	e.Differ, e.HasDiffer = differ, compared
	if len(old) > 0 {
		s.old = lentData{from: st.x.side(), offset: uint64(off), bytes: old}
		e.Old = &s.old
	}
}

// raiseData raises the bytes that p received, which the other end's stream has from offset.
func (s *Stack) raiseData(p *Peer, offset int64, bytes []byte) {
	if flowev.OnNewData.Wanted(s.sh) && !p.stopped {
		s.data = lentData{from: p.other().side(), offset: uint64(offset), bytes: bytes}
		s.ev.newData = flowev.NewData{C: p.conn, D: &s.data, Side: p.side()}
		s.decide(p.conn, flowev.OnNewData.Emit(s.sh, &s.ev.newData))
		s.data.bytes = nil
	}
	s.readBytes(p, offset, bytes)
}

// raiseGap raises that n bytes from place offset of what the other end of p sent are given up.
func (s *Stack) raiseGap(p *Peer, offset, n int64, why flowev.GapReason) {
	if flowev.OnGap.Wanted(s.sh) && !p.stopped {
		s.ev.gap = flowev.Gap{C: p.conn, Side: p.side(), Offset: uint64(offset), Len: uint64(n), Why: why}
		s.decide(p.conn, flowev.OnGap.Emit(s.sh, &s.ev.gap))
	}
}

// raiseError raises that bytes which p gets are lost.
func (s *Stack) raiseError(p *Peer, reason flowev.ErrorReason, lost int64) {
	if flowev.OnError.Wanted(s.sh) && !p.stopped {
		s.ev.failure = flowev.Error{C: p.conn, Pkt: &s.pkt, Side: p.side(), Reason: reason, Lost: uint64(lost)}
		s.decide(p.conn, flowev.OnError.Emit(s.sh, &s.ev.failure))
	}
}

// raiseClosed raises that p will send no more.
func (s *Stack) raiseClosed(p *Peer, why flowev.EndReason) {
	if flowev.OnSideClosed.Wanted(s.sh) && !p.stopped {
		s.ev.closed = flowev.SideClosed{C: p.conn, Side: p.side(), Reason: why}
		s.decide(p.conn, flowev.OnSideClosed.Emit(s.sh, &s.ev.closed))
	}
}

func (s *Stack) raiseEnd(c *Conn, why flowev.EndReason) {
	if flowev.OnConnEnd.Wanted(s.sh) {
		s.ev.connEnd = flowev.ConnEnd{C: c, Reason: why}
		flowev.OnConnEnd.Emit(s.sh, &s.ev.connEnd)
	}
	if s.cfg.Reader != nil {
		s.cfg.Reader.Ended(s.sh, c)
	}
}

// orphan raises the current packet as one that belongs to no connection, and why.
func (s *Stack) orphan(why flowev.OrphanReason) {
	s.stats.Orphans++
	if flowev.OnOrphan.Wanted(s.sh) {
		s.ev.orphan = flowev.Orphan{Pkt: &s.pkt, Reason: why}
		if why == flowev.OrphanReasonMalformed {
			s.ev.orphan.Fault, s.ev.orphan.HasFault = s.pkt.p.Err.String(), true
		}
		s.decide(nil, flowev.OnOrphan.Emit(s.sh, &s.ev.orphan))
	}
}
