package services

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// bench is a desk beside a stack, both driven by hand: what a policy does at request_in is a
// function, and what rules hear of are lines.
type bench struct {
	t      *testing.T
	desk   *Desk
	stack  *sip.Stack
	shard  *event.Shard
	points map[event.PointID]string
	policy func(tx *sip.Tx, m *sip.Message) event.Verdict
	told   []string
	sent   []string // start lines, with where they went
	last   map[string][]byte
	n      int
}

func newBench(t *testing.T, cfg Config) *bench {
	b := &bench{t: t, desk: New(cfg), shard: event.NewShards(1, event.Together, 0).At(0), points: map[event.PointID]string{}, last: map[string][]byte{}}
	for _, f := range catalogue.All() {
		for _, e := range f.Events {
			for _, p := range e.Points {
				b.points[p.ID] = e.Name
			}
		}
	}
	b.shard.Enter()
	t.Cleanup(b.shard.Leave)
	b.shard.Advance(1000 * int64(time.Second))
	heard := []string{"sip.request_in", "sip.contact", "sip.destination", "sip.dialog_start", "sip.dialog_end"}
	b.shard.Bind(b, func(id event.PointID) bool { return slices.Contains(heard, b.points[id]) })
	b.stack = sip.New(b.shard, sip.Config{Watcher: b.desk}, b)
	return b
}

// Dispatch implements [event.Dispatcher].
func (b *bench) Dispatch(_ *event.Shard, _ event.PointID, e any) event.Verdict {
	say := func(format string, args ...any) { b.told = append(b.told, fmt.Sprintf(format, args...)) }
	switch e := e.(type) {
	case *sipev.RequestIn:
		if b.policy != nil {
			return b.policy(e.Tx.(*sip.Tx), e.M.(*sip.Message))
		}
	case *sipev.Contact:
		say("%s %s of %s for %s", e.Change, e.URI, e.Aor, e.Expires)
	case *sipev.Destination:
		say("%s of %s up %v", e.URI, e.Set, e.Up)
	case *sipev.DialogStart:
		say("%s answered after %s", e.CallID, e.Setup)
	case *sipev.DialogEnd:
		say("%s %s %d after %s and %s", e.CallID, e.EndedBy, e.Code, e.Setup, e.Duration)
	}
	return event.Verdict{}
}

// Send implements [sip.Transport].
func (b *bench) Send(to sip.Hop, raw []byte) error {
	line, _, _ := strings.Cut(string(raw), "\r\n")
	at := to.Remote.Addr().String()
	b.sent = append(b.sent, line+" to "+at)
	b.last[at] = append([]byte(nil), raw...)
	return nil
}

// Find implements [sip.Transport].
func (b *bench) Find(uri []byte, then func([]sip.Hop, error)) {
	u, err := msg.ParseURI(uri)
	if err != nil {
		then(nil, err)
		return
	}
	at, err := netip.ParseAddr(string(u.Host))
	then([]sip.Hop{{Proto: sipev.TransportUDP, Remote: netip.AddrPortFrom(at, 5060)}}, err)
}

// Self implements [sip.Transport].
func (b *bench) Self(host []byte, _ uint16) bool { return string(host) == "192.0.2.100" }

// SentBy implements [sip.Transport].
func (b *bench) SentBy(dst []byte, _ sip.Hop) []byte { return append(dst, "192.0.2.100"...) }

// by is who calls functions.
func (b *bench) by() *event.Caller { return &event.Caller{Shard: b.shard} }

// trying is one whose calls are to change nothing.
func (b *bench) trying() *event.Caller { return &event.Caller{Shard: b.shard, Observe: true} }

// after lets time pass, and what was posted be done.
func (b *bench) after(d time.Duration) {
	b.shard.Advance(b.shard.Now() + int64(d))
	b.shard.Advance(b.shard.Now())
}

// hop is how messages of the benches' peers come.
func hop(proto sipev.Transport, from string) sip.Hop {
	return sip.Hop{Proto: proto, Remote: netip.MustParseAddrPort(from), Local: netip.MustParseAddrPort("192.0.2.100:5060")}
}

// request lets one come, and the policy look at it.
func (b *bench) request(from sip.Hop, method, tags string, policy func(tx *sip.Tx, m *sip.Message) event.Verdict, lines ...string) {
	b.n++
	b.policy = policy
	fromTag, toTag, _ := strings.Cut(tags, " ")
	if toTag != "" {
		toTag = ";tag=" + toTag
	}
	head := append([]string{
		method + " sip:bob@192.0.2.100 SIP/2.0", fmt.Sprintf("Via: SIP/2.0/UDP %s;branch=z9hG4bK%d", from.Remote, b.n), "Max-Forwards: 70",
		"From: <sip:alice@example.com>;tag=" + fromTag, "To: <sip:alice@example.com>" + toTag, "Call-ID: call", fmt.Sprintf("CSeq: %d %s", b.n, method),
	}, lines...)
	b.stack.Receive(from, []byte(strings.Join(head, "\r\n")+"\r\n\r\n"))
	b.after(time.Millisecond)
}

// look has a function look at a request that comes, which is answered with 200.
func (b *bench) look(method string, do func(tx *sip.Tx, m *sip.Message), lines ...string) {
	b.t.Helper()
	seen := false
	b.request(hop(sipev.TransportUDP, "192.0.2.1:5060"), method, "a", func(tx *sip.Tx, m *sip.Message) event.Verdict {
		seen = true
		do(tx, m)
		return reply(200)
	}, lines...)
	if !seen {
		b.t.Fatalf("no %s came to the policy; sent: %q", method, b.sent)
	}
}

func reply(code uint16) event.Verdict {
	return event.Verdict{Kind: sipev.VerdictReply, Args: &sipev.ReplyArgs{Code: code}}
}

// answer lets a peer answer the latest request that it got.
func (b *bench) answer(from string, code int) {
	b.t.Helper()
	var m msg.Message
	if err := m.Parse(b.last[from], msg.DefaultLimits()); err != nil {
		b.t.Fatal(err)
	}
	r := msg.Reply{Code: code, Reason: msg.ReasonOf(code), Tag: []byte("t")}
	b.stack.Receive(hop(sipev.TransportUDP, from+":5060"), msg.AppendReply(nil, &m, &r))
	b.after(time.Millisecond)
}

// heard wants these lines to have been told since the last time.
func (b *bench) heard(want ...string) {
	b.t.Helper()
	if diff := cmp.Diff(want, b.told); diff != "" {
		b.t.Errorf("told (-want +got):\n%s", diff)
	}
	b.told = nil
}

// fails wants an error that has these words.
func fails(t *testing.T, what string, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: %v, want %s", what, err, want)
	}
}

// field returns a value of a table.
func field(row any, key string) any {
	list, _ := row.([]event.KV)
	for _, kv := range list {
		if kv.Key == key {
			return kv.Value
		}
	}
	return nil
}

// TestSettings: each setting has a default, and is set by its name.
func TestSettings(t *testing.T) {
	t.Parallel()
	cfg := Config{}
	docs := cfg.Settings()
	if len(docs) != len(cfg.Names()) {
		t.Fatalf("%d settings, %d names", len(docs), len(cfg.Names()))
	}
	for i, name := range cfg.Names() {
		value := any("7")
		if strings.HasSuffix(name, "_life") {
			value = "7s"
		}
		if docs[i].Name != name || docs[i].Value == "" || docs[i].Value == "0" || docs[i].Value == value {
			t.Errorf("%s is %+v", name, docs[i])
		}
		if err := cfg.Set(name, value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := cfg.Settings()[i].Value; got != value {
			t.Errorf("%s is %s after it was set to %s", name, got, value)
		}
		if err := cfg.Set(name, "x"); err == nil {
			t.Errorf("%s may be x", name)
		}
	}
}
