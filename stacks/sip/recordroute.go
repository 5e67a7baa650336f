package sip

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// recording is what this server says of itself in Record-Route.
type recording struct {
	from   *Hop // where the request came from
	params []byte
}

// recording returns nil where the server does not stay in the path.
func (b *Branch) recording() *recording {
	if !b.recordRoute {
		return nil
	}
	return &recording{&b.tx.source.Hop, b.tx.routeParams}
}

// recordRoute adds this server to Record-Route: once where it is called alike on both
// sides, else for each side, so that neither has to speak the other's transport or reach
// the other's network (RFC 5658).
func (s *Stack) recordRoute(e *msg.Edits, m *msg.Message, to *Hop, r *recording) (values int, err error) {
	if s.cfg.Recorded != nil {
		s.cfg.Recorded()
	}
	var room [maxRouteParams + proofText]byte
	params := s.appendProof(append(room[:0], r.params...), m, r.params)
	v := s.appendRoute(s.key[:0], to, params)
	n := len(v)
	v = s.appendRoute(v, r.from, params)
	s.key = v
	if err := e.Before(msg.RecordRoute, "Record-Route", v[:n]); err != nil || bytes.Equal(v[:n], v[n:]) {
		return 1, err
	}
	return 2, e.Before(msg.RecordRoute, "Record-Route", v[n:])
}

// appendRoute appends this server as the peer at a hop reaches it.
func (s *Stack) appendRoute(dst []byte, peer *Hop, params []byte) []byte {
	dst = s.out.SentBy(append(dst, "<sip:"...), *peer)
	if peer.Proto != sipev.TransportUDP {
		dst = append(append(dst, ";transport="...), peer.Proto.String()...)
	}
	return append(append(append(dst, ";lr"...), params...), '>')
}

// maxRouteParams bounds the parameters that a script gives, in bytes: they come back in
// each request of the dialog.
const maxRouteParams = 256

var errRouteParams = fmt.Errorf("the parameters of a route are %d bytes at most", maxRouteParams)

// RecordRoute implements [sipev.Tx].
func (t *Tx) RecordRoute(_ *event.Caller, params any) error {
	list, ok := params.([]event.KV)
	if !ok && params != nil {
		return errors.New("a table of parameters expected")
	}
	var text []byte
	for _, kv := range list {
		value := plainText(kv.Value)
		if kv.Value == true {
			value = ""
		} else {
			value = "=" + value
		}
		one := ";" + kv.Key + value
		u, err := msg.ParseURI([]byte("sip:x" + one))
		if _, there := u.Param(kv.Key); err != nil || !there || string(u.Params) != one || strings.Count(one, ";") != 1 {
			return fmt.Errorf("%q is no parameter of a URI", one[1:])
		}
		if ownParam([]byte(kv.Key)) {
			return fmt.Errorf("the parameter %s is this server's", kv.Key)
		}
		text = append(text, one...)
	}
	if len(text) > maxRouteParams {
		return errRouteParams
	}
	t.inPath, t.routeParams = true, text
	return nil
}

// LooseRoute implements [sipev.Message].
func (m *Message) LooseRoute() (how string, routed bool) {
	if m.home == nil || !m.IsRequest() || !m.home.inPath(&m.Message) {
		return "", false
	}
	if ofDialog(&m.Message) {
		return "dialog", true
	}
	return "preloaded", true
}

// RouteParam implements [sipev.Message].
func (m *Message) RouteParam(name string) (string, bool) {
	if m.home == nil || !m.IsRequest() {
		return "", false
	}
	u, err := msg.ParseURI(m.home.ownRoute(&m.Message))
	if err != nil {
		return "", false
	}
	value, ok := u.Param(name)
	return string(value), ok
}
