package sip

import (
	"encoding/binary"
	"encoding/hex"

	"github.com/hookd/hookd/stacks/sip/msg"
)

// proofParam is the parameter of this server's URI in Record-Route that proves that it made
// it: a code over what the requests of a dialog have in common, of both its ends, and over
// what a script put there. Who only names this server in a Route has none, that of another
// dialog does not fit, and nobody changes what comes back.
//
// It proves that there is such a dialog, not where its other end is: the URI of a request in
// it is its sender's choice, since ends may move (RFC 3261, 12.2).
const proofParam = "hkd"

// proofText is how long the parameter is.
const proofText = len(";"+proofParam+"=") + 2*8

// appendProof appends the parameter for a request that is forwarded.
func (s *Stack) appendProof(dst []byte, m *msg.Message, params []byte) []byte {
	var code [8]byte
	tag, _ := tagOf(m, msg.From)
	binary.BigEndian.PutUint64(code[:], s.proof(m.CallID(), tag, params))
	return hex.AppendEncode(append(dst, ";"+proofParam+"="...), code[:])
}

// proof is the code. The tag is that which From of the dialog's first request had: a request
// of the caller has it in From, one of the callee in To.
func (s *Stack) proof(callID, tag, params []byte) uint64 {
	return siphash(&s.cfg.RouteKey, proofDomain, callID, zeroByte, tag, zeroByte, params)
}

var proofDomain = []byte("record-route\x00")

// ownRoute returns the URI in a request that names this server and brought it here: its
// first Route, or, behind a strict router, that of the request. It is nil where none did.
func (s *Stack) ownRoute(m *msg.Message) []byte {
	if !s.inPath(m) {
		return nil
	}
	if a, err := m.Address(msg.Route); err == nil && s.self(a.URI) {
		return a.URI
	}
	return m.RequestURI()
}

// proven reports whether a request is of a dialog whose route this server recorded. Who looks
// on at the messages of others has no key to their codes: there a tag says so.
func (s *Stack) proven(m *msg.Message) bool {
	to, ok := tagOf(m, msg.To)
	if !ok {
		return false
	}
	if s.looksOn {
		return true
	}
	u, err := msg.ParseURI(s.ownRoute(m))
	if err != nil {
		return false
	}
	text, ok := u.Param(proofParam)
	var code [8]byte
	if !ok || len(text) != 2*len(code) {
		return false
	}
	if _, err := hex.Decode(code[:], text); err != nil {
		return false
	}
	var room [64]byte
	params := room[:0]
	u.EachParam(func(text, name []byte) {
		if !ownParam(name) {
			params = append(params, text...)
		}
	})
	want := binary.BigEndian.Uint64(code[:])
	from, _ := tagOf(m, msg.From)
	return s.proof(m.CallID(), from, params) == want || s.proof(m.CallID(), to, params) == want
}

// ownParam reports whether a parameter of this server's URI is the stack's, and no script's.
func ownParam(name []byte) bool {
	for _, own := range [...]string{"lr", "transport", "maddr", proofParam} {
		if msg.EqualFold(name, []byte(own)) {
			return true
		}
	}
	return false
}

// tagOf returns the tag of From or To; false where it has none.
func tagOf(m *msg.Message, n msg.Name) (tag []byte, ok bool) {
	a, err := m.Address(n)
	if err != nil {
		return nil, false
	}
	tag = a.Tag()
	return tag, tag != nil
}

// InDialog implements [sipev.Message].
func (m *Message) InDialog() bool {
	return m.home != nil && m.IsRequest() && m.home.proven(&m.Message)
}
