package sip

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// FuzzTransactions sends random messages in a random order with random pauses, and
// checks what must hold of each: a request gets exactly one first final reply, unless
// it is one that gets none; every transaction ends with one destroy; nothing is left.
func FuzzTransactions(f *testing.F) {
	for seed := range uint64(40) {
		f.Add(seed, uint8(30))
	}
	f.Fuzz(func(t *testing.T, seed uint64, steps uint8) { runModel(t, seed, int(steps)) })
}

// TestModel is the same for many seeds.
func TestModel(t *testing.T) {
	t.Parallel()
	n := uint64(3000)
	if testing.Short() {
		n = 400
	}
	for seed := range n {
		if runModel(t, seed, 40); t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// model is what is known from outside of one run.
type model struct {
	*rig
	rnd     *rand.Rand
	asked   map[string]string // Call-ID of what the caller sent, and its method
	finals  map[string]map[string]bool
	first   map[uint64]int  // first final status of each transaction, 1 for silence
	gone    map[string]bool // Call-IDs of requests whose transaction ended
	owed    map[string]bool // Call-IDs and methods of requests that a final reply was announced for
	dropped map[uint64]bool // transactions that rules dropped
	begun   int
	parked  []parked // handlers that wait
	ended   int
}

func runModel(t *testing.T, seed uint64, steps int) {
	r := newRig(t, func(c *Config) { c.SilentC, c.Timeout408 = seed%7 == 0, seed%5 == 0 })
	m := &model{rig: r, rnd: rand.New(rand.NewPCG(seed, 1)), asked: map[string]string{}, finals: map[string]map[string]bool{}, first: map[uint64]int{}, gone: map[string]bool{}, owed: map[string]bool{}, dropped: map[uint64]bool{}}
	r.shard.Bind(m, func(id event.PointID) bool { return r.names[id] != "" })
	m.policy()
	for range steps {
		m.step()
	}
	for range 40 {
		r.after(30 * time.Second)
	}
	m.check()
	r.empty()
}

// parked is a handler that waits.
type parked struct {
	subject event.Kept
	v       event.Verdict
	then    func(event.Verdict, error)
}

// Await implements [event.Awaiter]: some handlers wait, where they may.
func (m *model) Await(s *event.Shard, id event.PointID, e any, _ event.Kept, then func(event.Verdict, error)) {
	v := m.Dispatch(s, id, e)
	if m.rnd.IntN(4) != 0 {
		then(v, nil)
		return
	}
	var tx sipev.Tx
	switch e := e.(type) {
	case *sipev.RequestIn:
		tx = e.Tx
	case *sipev.OnFailure:
		tx = e.Tx
	default:
		m.t.Fatalf("%T may not wait", e)
	}
	m.parked = append(m.parked, parked{tx, v, then})
}

// CancelWaits implements [event.Awaiter].
func (m *model) CancelWaits(_ *event.Shard, subject event.Kept) {
	for i, p := range m.parked {
		if p.subject == subject {
			m.parked = slices.Delete(m.parked, i, i+1)
			p.then(event.Verdict{}, event.ErrCanceled)
			return
		}
	}
}

// letOne lets a handler that waits return.
func (m *model) letOne() {
	if n := len(m.parked); n > 0 {
		i := m.rnd.IntN(n)
		p := m.parked[i]
		m.parked = slices.Delete(m.parked, i, i+1)
		p.then(p.v, nil)
	}
}

// own sends a request of the server's own.
func (m *model) own() {
	method := []string{"INVITE", "OPTIONS"}[m.rnd.IntN(2)]
	uri := []string{"sip:a@192.0.2.11", "sip:b@192.0.2.12", "sip:s@several", "sip:x@unresolved"}[m.rnd.IntN(4)]
	m.begun++
	done := 0
	send := m.stack.Request
	if m.rnd.IntN(2) == 0 {
		send = m.stack.RequestLater
	}
	tx, err := send(&Request{Method: method, URI: uri, From: "<sip:me@x>", To: "<sip:you@y>", Done: func(*Tx, *Message) {
		if done++; done > 1 {
			m.t.Error("done was told twice")
		}
	}})
	if err != nil {
		m.t.Fatal(err)
	}
	if m.rnd.IntN(4) == 0 {
		_ = tx.Cancel(nil) // of an INVITE that is under way
	}
}

// policy decides at random, too.
func (m *model) policy() {
	targets := []string{"sip:a@192.0.2.11", "sip:b@192.0.2.12", "sip:c@192.0.2.13", "sip:s@several", "sip:x@unresolved", "sip:bad uri"}
	some := func() []string {
		list := []string{}
		for range 1 + m.rnd.IntN(3) {
			list = append(list, targets[m.rnd.IntN(len(targets))])
		}
		return list
	}
	m.hooks["request_in"] = func(e any) event.Verdict {
		m.begun++
		switch m.rnd.IntN(10) {
		case 0:
			return replyWith(uint16(200 + m.rnd.IntN(500)))
		case 1:
			return event.Verdict{}
		case 2:
			m.dropped[e.(*sipev.RequestIn).Tx.ID()] = true
			return event.Verdict{Kind: sipev.VerdictDrop}
		case 3, 4:
			return inSteps(m.rnd, some())
		default:
			return relayTo(some()...)
		}
	}
	now := func(n int, v event.Verdict) event.Verdict {
		if m.rnd.IntN(n) == 0 {
			return v
		}
		return event.Verdict{}
	}
	m.hooks["request_fwded"] = func(any) event.Verdict { return now(8, event.Verdict{Kind: sipev.VerdictDrop}) }
	m.hooks["response_in"] = func(any) event.Verdict { return now(6, event.Verdict{Kind: sipev.VerdictDrop}) } // of what is final it means nothing
	m.hooks["on_failure"] = func(any) event.Verdict {
		switch m.rnd.IntN(4) {
		case 0:
			return relayTo(some()...)
		case 1:
			return replyWith(480)
		default:
			return event.Verdict{}
		}
	}
	m.hooks["destroy"] = func(e any) event.Verdict {
		m.ended++
		tx := e.(*sipev.Destroy).Tx
		if tx.Method() != "CANCEL" {
			m.gone[tx.CallID()] = true
		}
		if m.first[tx.ID()] == 0 && !m.dropped[tx.ID()] {
			m.t.Errorf("transaction %d ended without a final reply", tx.ID())
		}
		return event.Verdict{}
	}
	m.hooks["local_completed"] = func(e any) event.Verdict {
		x := e.(*sipev.LocalCompleted)
		if first := m.first[x.Tx.ID()]; first != 0 && x.M.Code() >= 300 {
			m.t.Errorf("own request %d got %d after %d", x.Tx.ID(), x.M.Code(), first)
		}
		m.first[x.Tx.ID()] = int(x.M.Code())
		return event.Verdict{}
	}
	m.hooks["silent"] = func(e any) event.Verdict { m.first[e.(*sipev.Silent).Tx.ID()] = 1; return event.Verdict{} }
	m.hooks["response_pre_out"] = func(e any) event.Verdict {
		x := e.(*sipev.ResponsePreOut)
		id, code := x.Tx.ID(), int(x.M.Code())
		if x.Tx.Method() == "INVITE" || code != 408 || m.stack.cfg.Timeout408 {
			m.owed[x.Tx.CallID()+x.Tx.Method()] = true
		}
		switch first := m.first[id]; {
		case first == 0:
			m.first[id] = code
		case code >= 300:
			m.t.Errorf("transaction %d got %d after %d", id, code, first)
		case x.Tx.Method() != "INVITE":
			m.t.Errorf("%s got %d after %d", x.Tx.Method(), code, first)
		}
		return event.Verdict{}
	}
}

// inSteps is the verdict that tries URIs in series, or some at the same time; some only where
// those before are out of order.
func inSteps(rnd *rand.Rand, uris []string) event.Verdict {
	var rows []any
	for _, uri := range uris {
		rows = append(rows, []event.KV{{Key: "uri", Value: uri}, {Key: "step", Value: float64(rnd.IntN(3))}, {Key: "backup", Value: rnd.IntN(3) == 0}})
	}
	return event.Verdict{Kind: sipev.VerdictRelay, Args: &sipev.RelayArgs{Targets: rows}}
}

// step lets one thing happen.
func (m *model) step() {
	names := []string{"A", "B", "C"}
	name := names[m.rnd.IntN(len(names))]
	switch m.rnd.IntN(17) {
	case 0, 1:
		m.request("INVITE", m.rnd.IntN(3))
	case 2:
		m.request("OPTIONS", m.rnd.IntN(3))
	case 3:
		m.request("CANCEL", m.rnd.IntN(3))
	case 4:
		m.request("ACK", m.rnd.IntN(3))
	case 5, 6, 7, 8, 9:
		m.answer(name)
	case 11, 12:
		m.letOne()
	case 13:
		m.own()
	case 14:
		if got := m.out[name]; len(got) > 0 {
			m.stack.Undelivered(peer(name), got[m.rnd.IntN(len(got))])
		}
	case 15:
		if ids := slices.Sorted(maps.Keys(m.stack.byID)); len(ids) > 0 {
			_ = m.stack.byID[ids[m.rnd.IntN(len(ids))]].Cancel(nil) // of an INVITE that is under way
		}
	case 10:
		m.fail[name] = !m.fail[name]
	default:
		pauses := []time.Duration{10 * time.Millisecond, 600 * time.Millisecond, 5 * time.Second, 33 * time.Second, 190 * time.Second}
		m.after(pauses[m.rnd.IntN(len(pauses))])
	}
}

// request sends one of call n: again what was sent before, as long as its transaction
// lives.
func (m *model) request(method string, n int) {
	branch := fmt.Sprint("m", n)
	if method == "OPTIONS" {
		branch += "o"
	}
	for m.gone["call"+branch] {
		branch += "x"
	}
	call := "call" + branch
	text := strings.Replace(dialogRequest(method, 1, branch, ""), "Call-ID: call1", "Call-ID: "+call, 1)
	if method != "ACK" {
		m.asked[call+method] = method
	}
	m.recv("caller", text)
}

// answer lets a peer answer something that it got.
func (m *model) answer(name string) {
	got := m.out[name]
	if len(got) == 0 {
		return
	}
	var req msg.Message
	if req.Parse(got[m.rnd.IntN(len(got))], msg.DefaultLimits()) != nil || !req.IsRequest() || req.Method() == msg.Ack {
		return
	}
	codes := []int{100, 180, 183, 200, 200, 302, 401, 407, 404, 486, 487, 500, 503, 603}
	code := codes[m.rnd.IntN(len(codes))]
	reply := msg.Reply{Code: code, Reason: "Any", Tag: []byte(name)}
	m.recv(name, string(msg.AppendReply(nil, &req, &reply)))
}

// check looks at all that the caller got.
func (m *model) check() {
	for _, raw := range m.out["caller"] {
		var reply msg.Message
		if err := reply.Parse(raw, msg.DefaultLimits()); err != nil || reply.IsRequest() {
			m.t.Fatalf("the caller got %q: %v", raw, err)
		}
		if reply.Status() < 200 {
			continue
		}
		seq, _ := reply.CSeq()
		to, _ := reply.Address(msg.To)
		key := string(reply.CallID()) + string(seq.Method)
		if m.finals[key] == nil {
			m.finals[key] = map[string]bool{}
		}
		m.finals[key][fmt.Sprint(reply.Status(), " ", string(to.Tag()))] = true
	}
	for key, finals := range m.finals {
		m.checkFinals(key, m.asked[key], finals)
	}
	for key := range m.owed {
		if len(m.finals[key]) == 0 {
			m.t.Errorf("the caller heard of no end of %s", key)
		}
	}
	if m.begun != m.ended {
		m.t.Errorf("%d transactions began, %d ended", m.begun, m.ended)
	}
}

// checkFinals looks at the different final replies that the caller got to one request:
// of an INVITE one that is negative at most, of an OPTIONS one at all.
func (m *model) checkFinals(key, method string, finals map[string]bool) {
	negative := 0
	for f := range finals {
		if f >= "300" {
			negative++
		}
	}
	switch {
	case method == "":
		m.t.Errorf("a final reply to %s, which nobody sent: %v", key, finals)
	case method == "INVITE" && negative > 1, method == "OPTIONS" && len(finals) > 1:
		m.t.Errorf("final replies to %s: %v", key, finals)
	}
}
