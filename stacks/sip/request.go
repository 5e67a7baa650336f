package sip

import (
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// receiveRequest finds the transaction of a request that is well-formed, or begins
// one.
func (s *Stack) receiveRequest(m *Message) {
	via, err := m.Via()
	if err != nil {
		return
	}
	method := m.Message.Method()
	if method == msg.Ack {
		s.receiveAck(m, &via)
		return
	}
	key := s.serverKey(&m.Message, &via, method)
	if t := s.servers[string(key)]; t != nil {
		t.again(m)
		return
	}
	// A CANCEL goes no hop further.
	if fault := m.CheckHop(); fault.Found() && method != msg.Cancel {
		s.stats.Refused++
		s.answerStateless(m, fault.Code, fault.Reason, unsupported(m))
		return
	}
	if s.looped(&m.Message) {
		s.stats.Loops++
		s.answerStateless(m, 482, "Loop Detected", nil)
		return
	}
	if len(s.byID) >= s.cfg.MaxTransactions {
		s.stats.NoRoom++
		s.answerStateless(m, 503, "Service Unavailable", []byte("Retry-After: 10\r\n"))
		return
	}
	t := s.newTx(m, &via, string(key))
	s.admit(t)
}

// unsupported makes the Unsupported of a 420.
func unsupported(m *Message) []byte {
	var out []byte
	for v := m.Values(msg.ProxyRequire); v.Next(); {
		out = append(append(append(out, "Unsupported: "...), v.Value()...), "\r\n"...)
	}
	return out
}

// admit raises request_in and does what is decided.
func (s *Stack) admit(t *Tx) {
	v := t.view()
	v.open = true
	t.waits = waitsForRoute
	sipev.OnRequestIn.Await(s.shard, &sipev.RequestIn{Tx: t, M: v}, func(d event.Verdict, err error) {
		t.waits = waitsNot
		if t.state == terminated {
			return
		}
		t.view().open = false
		t.keep()
		if err != nil && !t.cancel {
			// The handler was cut off while it waited: nobody knows what it wanted.
			t.answer(sipev.FakedByLocal, 500, "Server Internal Error", nil)
		} else {
			t.decide(d)
		}
		t.letOn()
		if t.waits == waitsNot {
			t.shut()
		}
	})
	if t.waits == waitsForRoute && t.invite() {
		// The caller need not repeat its request while a handler waits.
		t.trying(false)
	}
}

// decide does what rules decided about a request.
func (t *Tx) decide(d event.Verdict) {
	if t.method == msg.Cancel {
		t.cancelTarget()
		return
	}
	t.gaveUp()
	if t.cancel {
		t.answer(sipev.FakedByCancel, 487, "Request Terminated", nil)
		return
	}
	switch d.Kind {
	case sipev.VerdictReply:
		t.answerArgs(d.Args.(*sipev.ReplyArgs))
	case sipev.VerdictDrop:
		t.state = given
		t.linger()
	case sipev.VerdictRelay:
		args, _ := d.Args.(*sipev.RelayArgs)
		t.relay(args)
	default:
		t.unrouted(d.Failed)
	}
}

// unrouted handles a request that no rule decided about, since one failed or there is none
// for it: one of a dialog in whose path this server is goes where its route says, another
// is answered.
func (t *Tx) unrouted(failed bool) {
	m := t.view()
	if ofDialog(&m.Message) && t.stack.inPath(&m.Message) {
		t.relay(nil)
		return
	}
	t.raiseUnrouted(m)
	if failed {
		t.answer(sipev.FakedByLocal, 500, "Server Internal Error", nil)
		return
	}
	t.answer(sipev.FakedByLocal, 404, "Not Found", nil)
}

// inPath reports whether a request came here because of a Record-Route of this server:
// its first Route is that, or, behind a strict router, its URI.
func (s *Stack) inPath(m *msg.Message) bool {
	r := s.routes(m)
	return r.own > 0 || r.all > 0 && loose(m.RequestURI()) && s.self(m.RequestURI())
}

// again handles a copy of a transaction's request.
func (t *Tx) again(m *Message) {
	if t.waits != waitsNot {
		t.repeat()
		return
	}
	t.raiseReqRetrIn(m)
	t.repeat()
}

// repeat sends the latest reply again, because the request came again.
func (t *Tx) repeat() {
	if len(t.last) == 0 || t.state == confirmed {
		return
	}
	if t.stack.send(t.back, t.last) && t.waits == waitsNot {
		t.raiseResponseSent(t.last, true)
	}
}

// hold keeps a message until the transaction's handler has returned.
func (t *Tx) hold(m *Message) {
	if len(t.held) >= t.stack.cfg.MaxHeld {
		t.stack.stats.HeldOver++
		return
	}
	t.held = append(t.held, heldMessage{m.from.Hop, append([]byte(nil), m.Raw()...)})
}

// letOn handles what was held.
func (t *Tx) letOn() {
	for len(t.held) != 0 && t.waits == waitsNot {
		h := t.held[0]
		t.held = t.held[1:]
		t.stack.receive(h.from, h.raw, false)
	}
}
