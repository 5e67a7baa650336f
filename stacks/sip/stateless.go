package sip

import (
	"net/netip"
	"strconv"

	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// answerStateless answers a request that gets no transaction (RFC 3261, 8.2.7): copies
// get the same answer. An ACK is never answered. Where Via cannot be read, the answer goes
// to where the request came from.
func (s *Stack) answerStateless(m *Message, code int, reason string, fields []byte) {
	if !m.Message.Has(msg.ViaName) || m.Message.Method() == msg.Ack {
		return
	}
	via, err := m.Via()
	r, to := msg.Reply{Code: code, Reason: reason, Fields: fields, Tag: s.statelessTag(m, &via)}, m.from.Hop
	if err == nil {
		s.text = stamped(s.text[:0], topVia(m), &via, m.from.Hop)
		r.Via, to = s.text, replyHop(m.from.Hop, &via)
	}
	s.send(to, msg.AppendReply(nil, &m.Message, &r))
}

// statelessTag is the To tag of what is answered so: that of its ACK too, which ends here.
func (s *Stack) statelessTag(m *Message, via *msg.Via) []byte {
	return appendBase36([]byte("hk"), s.mac(m.Message.CallID(), via.Branch()))
}

func topVia(m *Message) []byte {
	v := m.Values(msg.ViaName)
	v.Next()
	return v.Value()
}

func appendBase36(dst []byte, n uint64) []byte {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	for ; n != 0; n /= 36 {
		dst = append(dst, digits[n%36])
	}
	return dst
}

// forwardReply forwards a reply by its Via alone (RFC 3261, 16.11, 18.2.2).
func (s *Stack) forwardReply(m *Message) {
	popVia(m)
	via, err := m.Via()
	if err != nil {
		return
	}
	to, ok := viaHop(&via)
	if !ok {
		return
	}
	s.send(to, m.Raw())
}

// viaHop reads where replies go from a Via: received and rport if they are there, else
// what the sender said of itself, if that is an address.
func viaHop(via *msg.Via) (Hop, bool) {
	host := via.Host
	if r, ok := via.Params.Get("received"); ok && len(r) != 0 {
		host = r
	}
	addr, err := netip.ParseAddr(string(bare(host)))
	if err != nil {
		return Hop{}, false
	}
	port := uint64(via.Port)
	if r, ok := via.Params.Get("rport"); ok && len(r) != 0 {
		if port, err = strconv.ParseUint(string(r), 10, 16); err != nil {
			return Hop{}, false
		}
	}
	if port == 0 {
		port = 5060
	}
	return Hop{Proto: protoOf(via.Transport), Remote: netip.AddrPortFrom(addr, uint16(port))}, true
}

// protoOf reads what Via calls a transport.
func protoOf(word []byte) sipev.Transport {
	for _, p := range [...]sipev.Transport{sipev.TransportTCP, sipev.TransportTLS, sipev.TransportWS, sipev.TransportWss} {
		if msg.EqualFold(word, []byte(viaWord(p))) {
			return p
		}
	}
	return sipev.TransportUDP
}
