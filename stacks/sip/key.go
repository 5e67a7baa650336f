package sip

import (
	"strconv"

	"github.com/hookd/hookd/stacks/sip/msg"
)

// serverKey returns what identifies the transaction of a request (RFC 3261, 17.2.3):
// branch, sender and method where the branch is unique, else what RFC 2543 compared.
// An ACK has the key of its INVITE; method is what a CANCEL's target is looked for
// by. It is valid until the next one is made.
func (s *Stack) serverKey(m *msg.Message, via *msg.Via, method msg.Method) []byte {
	k := append(s.key[:0], byte(method))
	if method == msg.OtherMethod {
		k = append(k, m.MethodText()...)
	}
	k = append(k, 0)
	if via.Magic() {
		k = append(k, via.Branch()...)
		k = append(k, 0)
		k = appendLower(k, via.Host)
		port := via.Port
		if port == 0 {
			port = 5060
		}
		k = strconv.AppendUint(append(k, ':'), uint64(port), 10)
	} else {
		k = s.oldKey(k, m)
	}
	s.key = k
	return k
}

// oldKey is what RFC 2543 tells transactions apart by. The To tag is left out, which
// an ACK has and its INVITE has not.
func (s *Stack) oldKey(k []byte, m *msg.Message) []byte {
	k = append(append(k, 1), m.RequestURI()...)
	k = append(append(k, 0), m.CallID()...)
	if from, err := m.Address(msg.From); err == nil {
		k = append(append(k, 0), from.Tag()...)
	}
	if seq, err := m.CSeq(); err == nil {
		k = strconv.AppendUint(append(k, 0), uint64(seq.Number), 10)
	}
	if v := m.Values(msg.ViaName); v.Next() {
		k = append(append(k, 0), v.Value()...)
	}
	return k
}

// dialogKey is what the ACK of a 2xx has in common with its INVITE (RFC 3261, 13.2.2.4,
// 17.1.1.3). It is valid until the next key is made.
func (s *Stack) dialogKey(m *msg.Message) []byte {
	k := append(s.key[:0], m.CallID()...)
	if from, err := m.Address(msg.From); err == nil {
		k = append(append(k, 0), from.Tag()...)
	}
	if seq, err := m.CSeq(); err == nil {
		k = strconv.AppendUint(append(k, 0), uint64(seq.Number), 10)
	}
	s.key = k
	return k
}

func appendLower(dst, v []byte) []byte {
	for _, c := range v {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}
