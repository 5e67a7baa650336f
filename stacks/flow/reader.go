package flow

import (
	"net/netip"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// Reader reads what UDP flows and TCP connections carry, as their ends get it: another stack that finds
// its messages there. Its methods are called with the shard of the flow entered, behind the events of
// the flow itself, and may raise others. Bytes are lent for the call.
type Reader interface {
	// Wants reports whether anybody reads now in a shard; if not, no other method but Ended is called.
	Wants(sh *event.Shard) bool
	// Datagram is a UDP datagram; cut says that the capture has only its beginning.
	Datagram(sh *event.Shard, from, to netip.AddrPort, payload []byte, cut bool)
	// Bytes are the next that an end of a connection sent, from place offset of its stream. Places that
	// are skipped were lost; those that come again were taken back by a verdict.
	Bytes(sh *event.Shard, c flowev.Conn, from flowev.Side, offset uint64, bytes []byte)
	// Ended says that no more comes of a connection.
	Ended(sh *event.Shard, c flowev.Conn)
}

// wanted reports whether anybody gets the bytes that y receives.
func (s *Stack) wanted(y *Peer) bool {
	return flowev.OnNewData.Wanted(s.sh) && !y.stopped || s.readers()
}

// readers reports whether the reader wants what comes.
func (s *Stack) readers() bool { return s.cfg.Reader != nil && s.cfg.Reader.Wants(s.sh) }

// readDatagram gives a datagram that its receiver gets to the reader.
func (s *Stack) readDatagram(p *packet.Packet) {
	if s.readers() && !s.stopped() {
		s.cfg.Reader.Datagram(s.sh, p.SrcAddrPort(), p.DstAddrPort(), p.Payload(), p.Cut())
	}
}

// readBytes gives bytes that p received to the reader.
func (s *Stack) readBytes(p *Peer, offset int64, bytes []byte) {
	if len(bytes) != 0 && s.readers() && !s.stopped() {
		s.cfg.Reader.Bytes(s.sh, p.conn, p.other().side(), uint64(offset), bytes)
	}
}
