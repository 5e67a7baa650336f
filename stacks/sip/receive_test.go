package sip

import (
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
)

// FuzzReceive gives the stack any bytes, as a datagram and by a connection, beside a
// call that is open: what it writes is well-formed, and nothing is left in the end.
func FuzzReceive(f *testing.F) {
	f.Add([]byte(dialogRequest("INVITE", 1, "x", "")))
	f.Add([]byte(dialogRequest("CANCEL", 1, "inv", "")))
	f.Add([]byte(dialogRequest("ACK", 1, "inv", "t1")))
	f.Add([]byte(dialogRequest("BYE", 2, "b", "t1", "Route: <sip:192.0.2.100:5060;lr>, <sip:192.0.2.12;lr>")))
	f.Add([]byte(dialogRequest("BYE", 2, "b", "t1", "Route: <sip:192.0.2.100:5060;lr>, <sip:192.0.2.12>, <sip:192.0.2.13>")))
	f.Add([]byte(strings.Replace(dialogRequest("BYE", 2, "b", "t1", "Route: <sip:x@192.0.2.12>"), "sip:bob@192.0.2.11", "sip:192.0.2.100;lr", 1)))
	f.Add([]byte("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.100:5060;branch=z9hG4bK00\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n"))
	f.Add([]byte(strings.Replace(dialogRequest("MESSAGE", 1, "m", ""), ";branch=z9hG4bKm", "", 1)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := newRig(t, nil, quiet...)
		r.hooks["request_fwded"] = func(e any) event.Verdict { return event.Verdict{} }
		r.invite()
		for _, name := range []string{"caller", "A", "self"} {
			r.recv(name, string(raw))
			hop := peer(name)
			hop.Proto, hop.Conn = 2, 7
			r.stack.Receive(hop, raw)
		}
		for range 60 {
			r.after(20 * time.Second)
		}
		r.empty()
	})
}

// TestSlowLookup: a name that is never found does not keep a branch, nor one whose
// answer comes too late.
func TestSlowLookup(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet...)
	slow := &lazy{rig: r}
	r.stack.out = slow
	r.invite()
	r.want("INVITE", "request_in INVITE, ! 100 caller, request_fwded 0")
	r.after(32 * time.Second)
	r.want("timer B", "on_branch_failure 408 timer, on_failure_ro 408 timer, on_failure 408 timer, response_pre_out 408 timer, ! 408 caller, response_out 408 timer")
	slow.then([]Hop{peer("A")}, nil)
	r.ackNegative()
	r.want("too late", "ack_neg_in")

	r = newRig(t, nil, quiet...)
	slow = &lazy{rig: r}
	r.stack.out = slow
	r.invite()
	r.cancel()
	r.log = nil
	slow.then([]Hop{peer("A")}, nil)
	r.want("given up meanwhile", "on_branch_failure 487 cancel, on_failure_ro 487 cancel, on_failure 487 cancel, response_pre_out 487 cancel, ! 487 caller, response_out 487 cancel")
}

// lazy is a transport whose lookups are answered by hand.
type lazy struct {
	*rig
	then func([]Hop, error)
}

// Find implements [Transport].
func (l *lazy) Find(_ []byte, then func([]Hop, error)) { l.then = then }
