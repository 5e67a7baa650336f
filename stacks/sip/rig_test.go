package sip

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// rig drives a stack by hand: messages in, messages out, and the hooks between, as one
// log in order.
type rig struct {
	t     testing.TB
	stack *Stack
	shard *event.Shard
	log   []string
	out   map[string][][]byte // what was written, by peer
	hooks map[string]func(e any) event.Verdict
	mute  []string // hooks that nobody has bound
	fail  map[string]bool
	names map[event.PointID]string
}

var peers = map[string]string{
	"192.0.2.1:5060": "caller", "192.0.2.11:5060": "A", "192.0.2.12:5060": "B", "192.0.2.13:5060": "C",
	"192.0.2.100:5060": "self",
}

func peer(name string) Hop {
	for addr, n := range peers {
		if n == name {
			return Hop{Proto: sipev.TransportUDP, Remote: netip.MustParseAddrPort(addr)}
		}
	}
	panic(name)
}

// quiet are hooks that only some tests look at.
var quiet = []string{"response_ready", "response_sent", "request_sent", "request_out", "request_pending", "destroy"}

func newRig(t testing.TB, change func(*Config), mute ...string) *rig {
	t.Helper()
	r := &rig{t: t, out: map[string][][]byte{}, hooks: map[string]func(any) event.Verdict{}, mute: mute, fail: map[string]bool{}, names: map[event.PointID]string{}}
	for _, f := range catalogue.All() {
		for _, e := range f.Events {
			for _, p := range e.Points {
				if f.Name == "sip" {
					r.names[p.ID] = strings.TrimPrefix(e.Name, "sip.")
				}
			}
		}
	}
	r.shard = event.NewShard(0)
	r.shard.Enter()
	t.Cleanup(r.shard.Leave)
	r.shard.Advance(int64(time.Hour))
	r.shard.Bind(r, func(id event.PointID) bool { return r.names[id] != "" && !slices.Contains(r.mute, r.names[id]) })
	cfg := DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	r.stack = New(r.shard, cfg, r)
	r.hooks["request_in"] = func(any) event.Verdict { return relayTo("sip:a@192.0.2.11") }
	return r
}

// relayTo is the verdict that forks to some URIs.
func relayTo(uris ...string) event.Verdict {
	return event.Verdict{Kind: sipev.VerdictRelay, Args: &sipev.RelayArgs{Fork: uris, RecordRoute: true}}
}

func replyWith(code uint16) event.Verdict {
	return event.Verdict{Kind: sipev.VerdictReply, Args: &sipev.ReplyArgs{Code: code}}
}

// Dispatch implements [event.Dispatcher].
func (r *rig) Dispatch(_ *event.Shard, id event.PointID, e any) event.Verdict {
	name := r.names[id]
	sound(r.t, name, e)
	r.log = append(r.log, name+detail(e))
	if h := r.hooks[name]; h != nil {
		return h(e)
	}
	return event.Verdict{}
}

// sound wants what hooks are shown to be whole messages, also those that no packet brought.
func sound(t testing.TB, name string, e any) {
	t.Helper()
	field := reflect.ValueOf(e).Elem().FieldByName("M")
	if !field.IsValid() {
		return
	}
	m, ok := field.Interface().(*Message)
	switch {
	case !ok || m == nil:
		t.Errorf("%s has no message", name)
	case name == "local_request_in": // it has no Via yet
	case m.Check().Found():
		t.Errorf("%s has a message with a fault: %s\n%s", name, m.Check().Reason, m.Raw())
	case m.Faked() != (m.FakedBy() != sipev.FakedByNone) || m.Faked() && m.Source().Endpoint().IsValid():
		t.Errorf("%s has a message made by %s that came from %s", name, m.FakedBy(), m.Source().Endpoint())
	}
}

// detail says what of an event a test looks at.
func detail(e any) string {
	text := func(m sipev.Message) string {
		s := ""
		if m.IsRequest() {
			s = " " + m.Method()
		} else {
			s = fmt.Sprint(" ", m.Code())
		}
		if m.Faked() {
			s += " " + m.FakedBy().String()
		}
		return s
	}
	switch e := e.(type) {
	case *sipev.RequestFwded:
		return fmt.Sprint(" ", e.Branch)
	case *sipev.RequestSent:
		return text(e.M) + again(e.Copy)
	case *sipev.ResponseIn:
		return text(e.M)
	case *sipev.ResponseFwded:
		return text(e.M) + " of " + strings.TrimSpace(text(e.Tx.Picked()))
	case *sipev.OnBranchFailure:
		return text(e.M)
	case *sipev.OnFailureRo:
		return text(e.M)
	case *sipev.OnFailure:
		return text(e.M)
	case *sipev.ResponseReady:
		return text(e.M)
	case *sipev.ResponsePreOut:
		return text(e.M)
	case *sipev.ResponseOut:
		return text(e.M)
	case *sipev.ResponseSent:
		return fmt.Sprint(" ", e.M.Code()) + again(e.Copy)
	case *sipev.LocalCompleted:
		return text(e.M)
	case *sipev.RequestIn:
		return text(e.M)
	case *sipev.Destroy:
		return " " + e.Tx.Method()
	}
	return ""
}

func again(is bool) string {
	if is {
		return " copy"
	}
	return ""
}

// Send implements [Transport].
func (r *rig) Send(to Hop, b []byte) error {
	name := peers[to.Remote.String()]
	if name == "" {
		name = to.Remote.String()
	}
	if r.fail[name] {
		return errors.New("unreachable")
	}
	var m msg.Message
	if err := m.Parse(b, msg.DefaultLimits()); err != nil {
		r.t.Fatalf("%v was written:\n%s", err, b)
	}
	// What answers a faulty request says what is left of it.
	answers := !m.IsRequest() && slices.Contains([]int{400, 416, 505}, m.Status())
	if f := m.Check(); f.Found() && !answers {
		r.t.Fatalf("%v was written:\n%s", f, b)
	}
	what := string(m.MethodText())
	if !m.IsRequest() {
		what = fmt.Sprint(m.Status())
	}
	r.log = append(r.log, "! "+what+" "+name)
	r.out[name] = append(r.out[name], append([]byte(nil), b...))
	return nil
}

// Find implements [Transport].
func (r *rig) Find(uri []byte, then func([]Hop, error)) {
	u, err := msg.ParseURI(uri)
	if err != nil {
		then(nil, err)
		return
	}
	if string(u.Host) == "several" {
		then([]Hop{peer("A"), peer("B"), peer("C")}, nil)
		return
	}
	addr, err := netip.ParseAddr(string(u.Host))
	if err != nil {
		then(nil, err)
		return
	}
	port := u.Port
	if port == 0 {
		port = 5060
	}
	then([]Hop{{Proto: sipev.TransportUDP, Remote: netip.AddrPortFrom(addr, port)}}, nil)
}

// Self implements [Transport].
func (r *rig) Self(host []byte, _ uint16) bool { return string(host) == "192.0.2.100" }

// SentBy implements [Transport].
func (r *rig) SentBy(dst []byte, _ Hop) []byte { return append(dst, "192.0.2.100:5060"...) }

// after lets time pass.
func (r *rig) after(d time.Duration) { r.shard.Advance(r.shard.Now() + int64(d)) }

// recv gives the stack a message of a peer.
func (r *rig) recv(from, text string) { r.stack.Receive(peer(from), []byte(text)) }

// dialogRequest builds a request of the caller.
func dialogRequest(method string, seq int, branch, toTag string, lines ...string) string {
	uri := "sip:bob@192.0.2.100"
	if toTag != "" {
		toTag, uri = ";tag="+toTag, "sip:bob@192.0.2.11"
	}
	text := method + " " + uri + " SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK" + branch + ";rport\r\nMax-Forwards: 70\r\n" +
		"From: <sip:alice@192.0.2.1>;tag=a1\r\nTo: <sip:bob@192.0.2.100>" + toTag + "\r\nCall-ID: call1\r\nCSeq: " + fmt.Sprint(seq) + " " + method + "\r\n"
	for _, l := range lines {
		text += l + "\r\n"
	}
	return text + "Content-Length: 0\r\n\r\n"
}

func (r *rig) invite() { r.recv("caller", dialogRequest("INVITE", 1, "inv", "")) }

func (r *rig) cancel() { r.recv("caller", dialogRequest("CANCEL", 1, "inv", "")) }

// ack acknowledges a 2xx, by the recorded route.
func (r *rig) ack(branch, toTag string) {
	r.recv("caller", dialogRequest("ACK", 1, branch, toTag, "Route: <sip:192.0.2.100:5060;lr>"))
}

// ackNegative acknowledges another final reply.
func (r *rig) ackNegative() { r.recv("caller", dialogRequest("ACK", 1, "inv", "x")) }

// last returns the latest message of a method that was written to a peer.
func (r *rig) last(name, method string) *msg.Message {
	r.t.Helper()
	for _, raw := range slices.Backward(r.out[name]) {
		m := &msg.Message{}
		if err := m.Parse(raw, msg.DefaultLimits()); err != nil {
			r.t.Fatal(err)
		}
		if string(m.MethodText()) == method || !m.IsRequest() && fmt.Sprint(m.Status()) == method {
			return m
		}
	}
	r.t.Fatalf("no %s was written to %s:\n%s", method, name, strings.Join(r.log, "\n"))
	return nil
}

// reply lets a peer answer the latest request of a method that it got.
func (r *rig) reply(name, method string, code int, tag string, lines ...string) {
	r.t.Helper()
	fields := ""
	for _, l := range lines {
		fields += l + "\r\n"
	}
	reply := msg.Reply{Code: code, Reason: msg.ReasonOf(code), Fields: []byte(fields)}
	if code > 100 {
		reply.Tag = []byte(tag)
	}
	r.recv(name, string(msg.AppendReply(nil, r.last(name, method), &reply)))
}

// want compares the log since the last time with what is expected, one entry a line.
func (r *rig) want(what string, lines ...string) {
	r.t.Helper()
	var got []string
	for _, l := range r.log {
		if !slices.ContainsFunc(r.mute, func(m string) bool { return strings.HasPrefix(l, m+" ") || l == m }) {
			got = append(got, l)
		}
	}
	var want []string
	for _, l := range lines {
		for _, x := range strings.Split(l, ",") {
			if x = strings.TrimSpace(x); x != "" {
				want = append(want, x)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
	r.log = nil
}

// empty wants nothing to be left.
func (r *rig) empty() {
	r.t.Helper()
	s := r.stack
	if n := len(s.byID) + len(s.servers) + len(s.dialogs); n != 0 {
		r.t.Errorf("%d entries of transactions are left", n)
	}
	if n := r.shard.Timers().Len(); n != 0 {
		r.t.Errorf("%d timers are left", n)
	}
}
