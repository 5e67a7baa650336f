package sip

import (
	"slices"

	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// stretch has TCP tried before one of some hops, where that is UDP and has both: for a
// request that is too long for a datagram (RFC 3261, 18.1.1).
func stretch(hops *[]Hop, i int) bool {
	udp := (*hops)[i]
	if udp.Proto != sipev.TransportUDP || !udp.Stretch {
		return false
	}
	tcp := udp
	tcp.Proto = sipev.TransportTCP
	udp.Stretch = false
	*hops = slices.Concat((*hops)[:i], []Hop{tcp, udp}, (*hops)[i+1:])
	return true
}

// sendAlone sends a request that has no transaction, an ACK of a 2xx, to the first of some
// hops that takes it, and returns what was sent and where; out is valid until the next
// message is made.
func (s *Stack) sendAlone(base []byte, hops []Hop, id branchID) (out []byte, to Hop, ok bool) {
	for i := 0; i < len(hops); i++ {
		out, _, err := s.print(base, &hops[i], id, nil)
		if err == nil && len(out) > s.cfg.MaxDatagram && stretch(&hops, i) {
			out, _, err = s.print(base, &hops[i], id, nil)
		}
		if err == nil && s.send(hops[i], out) {
			return out, hops[i], true
		}
	}
	return nil, Hop{}, false
}

// unstretched sends a request without a transaction by UDP which nobody took by TCP.
func (s *Stack) unstretched(to Hop, m *Message, id branchID) {
	e := &s.edits
	e.Reset(&m.Message)
	e.Pop(msg.ViaName, 1)
	bare := e.AppendTo(nil)
	s.sendAlone(bare, []Hop{{Proto: sipev.TransportUDP, Local: to.Local, Remote: to.Remote}}, id)
}
