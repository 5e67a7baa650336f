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
	state     flowev.TCPStateChange
	rexmit    flowev.Rexmit
	newData   flowev.NewData
	connEnd   flowev.ConnEnd
	orphan    flowev.Orphan
}

// decide notes what rules said. The stack follows what it sees, so a decision changes nothing here;
// cut and reset hold for the connection and are remembered for those who forward.
func (c *Conn) decide(v event.Verdict) {
	if v.Kind >= flowev.VerdictCut && v.Kind > c.decided {
		c.decided = v.Kind
	}
}

func (s *Stack) raisePktIn(p *Peer, at event.Point[flowev.PktIn]) {
	if at.Wanted(s.sh) {
		s.ev.pktIn = flowev.PktIn{C: p.conn, Pkt: &s.pkt, Side: p.side()}
		p.conn.decide(at.Emit(s.sh, &s.ev.pktIn))
	}
}

func (s *Stack) raiseStart(p *Peer, at event.Point[flowev.ConnStart]) {
	if at.Wanted(s.sh) {
		s.ev.connStart = flowev.ConnStart{C: p.conn, Pkt: &s.pkt, Side: p.side()}
		p.conn.decide(at.Emit(s.sh, &s.ev.connStart))
	}
}

// raiseState raises a change of p's state; byPacket is false where a timer caused it.
func (s *Stack) raiseState(p *Peer, at event.Point[flowev.TCPStateChange], from, to state, byPacket bool) {
	if at.Wanted(s.sh) {
		s.ev.state = flowev.TCPStateChange{C: p.conn, Side: p.side(), Old: from, New: to}
		if byPacket {
			s.ev.state.Pkt = &s.pkt
		}
		p.conn.decide(at.Emit(s.sh, &s.ev.state))
	}
}

func (s *Stack) raiseRexmit(p *Peer, at event.Point[flowev.Rexmit], kind flowev.RexmitKind) {
	if at.Wanted(s.sh) {
		s.ev.rexmit = flowev.Rexmit{C: p.conn, Pkt: &s.pkt, Side: p.side(), Kind: kind}
		p.conn.decide(at.Emit(s.sh, &s.ev.rexmit))
	}
}

// raiseData raises the bytes that p received, which the other end's stream has from offset.
func (s *Stack) raiseData(p *Peer, offset int64, bytes []byte) {
	if flowev.OnNewData.Wanted(s.sh) {
		s.data = lentData{from: p.other().side(), offset: uint64(offset), bytes: bytes}
		s.ev.newData = flowev.NewData{C: p.conn, D: &s.data, Side: p.side()}
		p.conn.decide(flowev.OnNewData.Emit(s.sh, &s.ev.newData))
		s.data.bytes = nil
	}
}

func (s *Stack) raiseEnd(c *Conn, why flowev.EndReason) {
	if flowev.OnConnEnd.Wanted(s.sh) {
		s.ev.connEnd = flowev.ConnEnd{C: c, Reason: why}
		flowev.OnConnEnd.Emit(s.sh, &s.ev.connEnd)
	}
}

// orphan raises the current packet as one that belongs to no connection.
func (s *Stack) orphan() {
	s.stats.Orphans++
	if flowev.OnOrphan.Wanted(s.sh) {
		s.ev.orphan = flowev.Orphan{Pkt: &s.pkt}
		flowev.OnOrphan.Emit(s.sh, &s.ev.orphan)
	}
}
