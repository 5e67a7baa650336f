package sip

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// silentRig is a rig in which nothing is bound and nothing is kept.
type silentRig struct{ *rig }

// Send implements [Transport].
func (silentRig) Send(Hop, []byte) error { return nil }

// newSilent returns a stack with nothing bound but request_in, as a busy relay has.
func newSilent(t testing.TB, change func(*Config)) (*Stack, *rig) {
	r := newRig(t, change)
	r.shard.Bind(relayAll{}, func(id event.PointID) bool { return r.names[id] == "request_in" })
	r.stack = New(r.shard, r.stack.cfg, silentRig{r})
	return r.stack, r
}

// relayAll forwards every request to A.
type relayAll struct{}

// Dispatch implements [event.Dispatcher].
func (relayAll) Dispatch(*event.Shard, event.PointID, any) event.Verdict {
	return relayTo("sip:a@192.0.2.11")
}

// numbered makes an INVITE of call n of typical size.
func numbered(n int) []byte {
	text := dialogRequest("INVITE", 1, fmt.Sprint("n", n), "", "Contact: <sip:alice@192.0.2.1:5060>", "User-Agent: Softphone Beta1.5", "Allow: INVITE, ACK, CANCEL, OPTIONS, BYE")
	return []byte(strings.Replace(text, "Call-ID: call1", fmt.Sprint("Call-ID: call", n), 1))
}

// TestOpenTransactions measures what open transactions take, and that the limit
// holds.
func TestOpenTransactions(t *testing.T) {
	n := 100_000
	if testing.Short() {
		n = 5_000
	}
	s, r := newSilent(t, func(c *Config) { c.MaxTransactions = n })
	var before, open, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range n + 10 {
		s.Receive(peer("caller"), numbered(i))
	}
	runtime.GC()
	runtime.ReadMemStats(&open)
	if st := s.Stats(); st.Open != n || st.NoRoom != 10 {
		t.Errorf("%d open, %d refused", st.Open, st.NoRoom)
	}
	each := int(open.HeapAlloc-before.HeapAlloc) / n
	t.Logf("%d open transactions take %d bytes each", n, each)
	if each > 6000 {
		t.Errorf("an open transaction takes %d bytes", each)
	}
	for range 40 {
		r.after(10 * time.Second)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if s.Stats().Open != 0 || r.shard.Timers().Len() != 0 {
		t.Errorf("%d transactions, %d timers are left", s.Stats().Open, r.shard.Timers().Len())
	}
	runtime.KeepAlive(s)
}

// TestFlood: what is no message costs no transaction, and memory for none.
func TestFlood(t *testing.T) {
	s, _ := newSilent(t, nil)
	bad := [][]byte{
		[]byte("\r\n\r\n"), []byte("GET / HTTP/1.1\r\n\r\n"), []byte("INVITE sip:a SIP/2.0\r\nVia: x\r\n"),
		[]byte("SIP/2.0 999 x\r\n\r\n"), []byte(strings.Repeat("A", 3000)), []byte("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n\r\n"),
	}
	if n := testing.AllocsPerRun(100, func() {
		for _, b := range bad {
			s.Receive(peer("A"), b)
		}
	}); n > 0 {
		t.Errorf("a malformed message allocates %v times", n)
	}
	if st := s.Stats(); st.Began != 0 || st.Malformed == 0 {
		t.Errorf("%+v", st)
	}
}

// BenchmarkCall is a call: INVITE, 180, 200, ACK, BYE, 200, without sockets.
func BenchmarkCall(b *testing.B) {
	s, r := newSilent(b, nil)
	c := &catcher{rig: r}
	s.out = c
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		c.last = c.last[:0]
		s.Receive(peer("caller"), numbered(i))
		c.answer(s, 180)
		c.answer(s, 200)
		if i%64 == 0 {
			r.after(time.Second)
		}
	}
}

// catcher keeps the latest request that went to a callee.
type catcher struct {
	*rig
	last  []byte
	reply []byte
}

// Send implements [Transport].
func (c *catcher) Send(to Hop, b []byte) error {
	if to.Remote == peer("A").Remote {
		c.last = append(c.last[:0], b...)
	}
	return nil
}

func (c *catcher) answer(s *Stack, code int) {
	var req msg.Message
	if err := req.Parse(c.last, msg.DefaultLimits()); err != nil {
		c.t.Fatal(err)
	}
	c.reply = msg.AppendReply(c.reply[:0], &req, &msg.Reply{Code: code, Reason: "Any", Tag: []byte("t1")})
	s.Receive(peer("A"), c.reply)
}
