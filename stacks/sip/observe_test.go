package sip

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// onlooker is a rig of a proxy, all of whose messages pass an observer too.
type onlooker struct {
	*rig      // whose log is the proxy's
	seen *rig // whose log is the observer's
	o    *Observer
	skip []string // peers whose hops are not seen
}

func newOnlooker(t *testing.T, skip ...string) *onlooker {
	x := &onlooker{rig: newRig(t, nil, quiet...), seen: newRig(t, nil, quiet...), skip: skip}
	delete(x.seen.hooks, "request_in")
	x.o = NewObserver(x.seen.shard, Config{})
	x.stack.out = relaying{x}
	return x
}

// relaying is the proxy's transport: what leaves passes the observer.
type relaying struct{ *onlooker }

// Send implements [Transport].
func (r relaying) Send(to Hop, b []byte) error {
	err := r.rig.Send(to, b)
	if err == nil {
		r.pass(Hop{Proto: to.Proto, Remote: peer("self").Remote, Local: to.Remote}, peers[to.Remote.String()], b)
	}
	return err
}

func (r relaying) Find(uri []byte, then func([]Hop, error)) { r.rig.Find(uri, then) }
func (r relaying) Self(host []byte, port uint16) bool       { return r.rig.Self(host, port) }
func (r relaying) SentBy(dst []byte, to Hop) []byte         { return r.rig.SentBy(dst, to) }

func (x *onlooker) pass(from Hop, name string, raw []byte) {
	if slices.Contains(x.skip, name) {
		return
	}
	x.seen.shard.Advance(x.shard.Now())
	x.o.Pass(from, raw)
}

// recv gives the proxy a message of a peer, which passes the observer before.
func (x *onlooker) recv(from, text string) {
	hop := peer(from)
	hop.Local = peer("self").Remote
	x.pass(hop, from, []byte(text))
	x.rig.recv(from, text)
}

func (x *onlooker) reply(name, method string, code int, tag string) {
	x.t.Helper()
	r := msg.Reply{Code: code, Reason: msg.ReasonOf(code)}
	if code > 100 {
		r.Tag = []byte(tag)
	}
	x.recv(name, string(msg.AppendReply(nil, x.last(name, method), &r)))
}

func (x *onlooker) later(d time.Duration) {
	x.after(d)
	x.seen.shard.Advance(x.shard.Now())
}

func (x *onlooker) invite() { x.recv("caller", dialogRequest("INVITE", 1, "inv", "")) }

// TestObserverSeesWhatTheProxyDid compares the hooks of a proxy with those of an observer
// that sees both its sides.
func TestObserverSeesWhatTheProxyDid(t *testing.T) {
	t.Parallel()
	for name, flow := range map[string]struct {
		play func(x *onlooker)
		want []string
	}{
		"answered": {func(x *onlooker) {
			x.invite()
			x.reply("A", "INVITE", 100, "")
			x.reply("A", "INVITE", 180, "t")
			x.reply("A", "INVITE", 200, "t")
			x.recv("caller", dialogRequest("ACK", 1, "ack", "t", "Route: <sip:192.0.2.100:5060;lr>"))
			x.recv("caller", dialogRequest("ACK", 1, "ack", "t", "Route: <sip:192.0.2.100:5060;lr>"))
		}, []string{
			"request_in INVITE, request_fwded 0, response_in 100, response_in 180, response_fwded 180 of 180",
			"response_in 200, response_fwded 200 of 200, response_pre_out 200, response_out 200, e2eack_in, e2eack_retr_in",
		}},
		"busy": {func(x *onlooker) {
			x.invite()
			x.invite()
			x.reply("A", "INVITE", 486, "t")
			x.reply("A", "INVITE", 486, "t")
			x.recv("caller", dialogRequest("ACK", 1, "inv", "t"))
		}, []string{
			"request_in INVITE, request_fwded 0, req_retr_in, response_in 486, on_branch_failure 486, on_failure_ro 486, on_failure 486",
			"response_fwded 486 of 486, response_pre_out 486, response_out 486, response_in 486, ack_neg_in",
		}},
		"given up": {func(x *onlooker) {
			x.invite()
			x.reply("A", "INVITE", 180, "t")
			x.recv("caller", dialogRequest("CANCEL", 1, "inv", ""))
			x.reply("A", "CANCEL", 200, "t")
			x.reply("A", "INVITE", 487, "t")
			x.recv("caller", dialogRequest("ACK", 1, "inv", "t"))
		}, []string{
			"request_in INVITE, request_fwded 0, response_in 180, response_fwded 180 of 180, request_in CANCEL, e2ecancel_in",
			"response_pre_out 200, response_out 200",
			"response_in 200, response_in 487, on_branch_failure 487, on_failure_ro 487, on_failure 487",
			"response_fwded 487 of 487, response_pre_out 487, response_out 487, ack_neg_in",
		}},
		"forked": {func(x *onlooker) {
			x.hooks["request_in"] = func(any) event.Verdict { return relayTo("sip:a@192.0.2.11", "sip:b@192.0.2.12") }
			x.invite()
			x.reply("A", "INVITE", 180, "ta")
			x.reply("B", "INVITE", 180, "tb")
			x.reply("B", "INVITE", 200, "tb")
			x.reply("A", "CANCEL", 200, "ta")
			x.reply("A", "INVITE", 487, "ta")
		}, []string{
			"request_in INVITE, request_fwded 0, request_fwded 1, response_in 180, response_fwded 180 of 180, response_in 180, response_fwded 180 of 180",
			"response_in 200, response_fwded 200 of 200, response_pre_out 200, response_out 200, response_in 200, response_in 487, on_branch_failure 487",
		}},
		"refused by the proxy": {func(x *onlooker) {
			x.hooks["request_in"] = func(any) event.Verdict { return replyWith(403) }
			x.invite()
			x.recv("caller", dialogRequest("ACK", 1, "inv", "t"))
		}, []string{
			"request_in INVITE, response_in 403, on_branch_failure 403, on_failure_ro 403, on_failure 403",
			"response_fwded 403 of 403, response_pre_out 403, response_out 403, ack_neg_in",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newOnlooker(t)
			x.seen.hooks["request_in"] = func(any) event.Verdict { return relayTo("sip:elsewhere@192.0.2.99") }
			flow.play(x)
			x.seen.want(name, flow.want...)
			if st := x.o.Stats(); st.Malformed+st.Stray+st.Sent != 0 {
				t.Errorf("%+v", st)
			}
			x.later(time.Minute)
			if n := len(x.o.legs) + x.seen.shard.Timers().Len() + len(x.o.s.byID) + len(x.o.s.dialogs); n != 0 {
				t.Errorf("%d entries are left: %v", n, x.o.legs)
			}
		})
	}
}

// TestObserverOfOneSide sees only the caller's side, or the callee's.
func TestObserverOfOneSide(t *testing.T) {
	t.Parallel()
	for _, unseen := range []string{"A", "caller"} {
		x := newOnlooker(t, unseen)
		x.seen.hooks["request_in"] = func(any) event.Verdict { return relayTo("sip:elsewhere@192.0.2.99") }
		x.invite()
		x.reply("A", "INVITE", 180, "t")
		x.reply("A", "INVITE", 180, "t")
		x.reply("A", "INVITE", 200, "t")
		x.recv("caller", dialogRequest("ACK", 1, "ack", "t", "Route: <sip:192.0.2.100:5060;lr>"))
		x.seen.want("without "+unseen,
			"request_in INVITE, response_in 180, response_fwded 180 of 180",
			"response_in 200, response_fwded 200 of 200, response_pre_out 200, response_out 200, e2eack_in")
	}
}

// TestObserverOfTwoProxies tells of the first hop alone.
func TestObserverOfTwoProxies(t *testing.T) {
	t.Parallel()
	x := newOnlooker(t)
	x.invite()
	x.seen.log = nil
	far := Hop{Proto: sipev.TransportUDP, Remote: peer("A").Remote}
	sent := x.last("A", "INVITE")
	behind := strings.Replace(string(sent.Raw()), "Via: ", "Via: SIP/2.0/UDP 192.0.2.11;branch=z9hG4bKfar\r\nVia: ", 1)
	x.o.Pass(far, []byte(behind))
	x.o.Pass(far, []byte(behind))
	var m msg.Message
	if err := m.Parse([]byte(behind), msg.DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	x.o.Pass(far, msg.AppendReply(nil, &m, &msg.Reply{Code: 200, Reason: "OK", Tag: []byte("t")}))
	x.seen.want("the hop behind")
	if st := x.o.Stats(); st.Stray != 0 || st.Began != 1 {
		t.Errorf("%+v", st)
	}
}

func TestObserverEndsWhatNobodyAnswers(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.hooks["request_in"] = func(e any) event.Verdict {
		if err := e.(*sipev.RequestIn).Tx.SetMaxLifetime(nil, time.Second); err != nil {
			t.Error(err)
		}
		return event.Verdict{}
	}
	o := NewObserver(r.shard, Config{})
	o.Pass(peer("caller"), []byte(dialogRequest("OPTIONS", 1, "opt", "")))
	r.after(2 * time.Minute)
	r.want("silence", "request_in OPTIONS, unrouted, silent, destroy OPTIONS")

	o.Pass(peer("caller"), []byte(dialogRequest("INVITE", 2, "inv2", "")))
	o.Pass(peer("caller"), []byte(dialogRequest("BYE", 3, "bye", "x")))
	r.log = nil
	o.Close()
	r.want("the end", "destroy INVITE, destroy BYE")
}

// TestObserverBounds refuses what is too much, and what is no message.
func TestObserverBounds(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet...)
	o := NewObserver(r.shard, Config{MaxTransactions: 2, MaxBranches: 2})
	for i := range 4 {
		o.Pass(peer("caller"), []byte(dialogRequest("INVITE", 1, fmt.Sprint("i", i), "")))
	}
	fork := strings.Replace(dialogRequest("INVITE", 1, "i0", ""), "Via: ", "Via: SIP/2.0/UDP 192.0.2.100;branch=z9hG4bKf%d\r\nVia: ", 1)
	for i := range 3 {
		o.Pass(peer("self"), fmt.Appendf(nil, fork, i))
	}
	o.Pass(peer("caller"), []byte("INVITE sip:x SIP/2.0\r\n\r\n"))
	o.Pass(peer("caller"), []byte("\x00\x01\x02"))
	o.Pass(peer("caller"), []byte(dialogRequest("ACK", 9, "other", "x")))
	if st := o.Stats(); st.NoRoom != 3 || st.Malformed != 2 || st.Stray != 1 || st.Open != 2 {
		t.Errorf("%+v", st)
	}
}

// TestObserverTellsOfChanges lets rules change what they see, and nothing else.
func TestObserverTellsOfChanges(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, quiet...)
	o := NewObserver(r.shard, Config{})
	var told []string
	o.Changed = func(_ *event.Caller, what string) { told = append(told, what) }
	r.hooks["request_in"] = func(e any) event.Verdict {
		m := e.(*sipev.RequestIn).M
		if err := m.SetHeader(nil, "Subject", "dinner"); err != nil {
			t.Error(err)
		}
		if err := m.RURI().SetUser(nil, []byte("eve")); err != nil {
			t.Error(err)
		}
		return event.Verdict{}
	}
	r.hooks["unrouted"] = func(e any) event.Verdict {
		if m := e.(*sipev.Unrouted).Tx.Request(); string(m.RURI().User()) != "eve" {
			t.Error("what a rule changed is not seen later")
		}
		return event.Verdict{}
	}
	raw := []byte(dialogRequest("INVITE", 1, "inv", "", "Subject: lunch"))
	before := string(raw)
	o.Pass(peer("caller"), raw)
	if string(raw) != before {
		t.Error("what passed was changed")
	}
	want := []string{
		"-Subject: lunch +Subject: dinner",
		"-INVITE sip:bob@192.0.2.100 SIP/2.0 +INVITE sip:eve@192.0.2.100 SIP/2.0",
	}
	if !slices.Equal(told, want) {
		t.Errorf("told %q", told)
	}
}

// FuzzObserver gives an observer any messages in any order: nothing fails, and nothing is
// left when it is over.
func FuzzObserver(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	f.Add([]byte{0, 3, 0x83, 3, 2, 0x85, 7, 0, 1})
	texts := make([]string, 0, 16)
	for _, method := range []string{"INVITE", "ACK", "CANCEL", "BYE", "OPTIONS"} {
		text := dialogRequest(method, 1, "inv", "")
		texts = append(texts, text, strings.Replace(text, "Via: ", "Via: SIP/2.0/UDP 192.0.2.100;branch=z9hG4bKf\r\nVia: ", 1))
	}
	var m msg.Message
	for _, text := range texts[:4] {
		if err := m.Parse([]byte(text), msg.DefaultLimits()); err != nil {
			f.Fatal(err)
		}
		for _, code := range []int{100, 180, 200, 486} {
			texts = append(texts, string(msg.AppendReply(nil, &m, &msg.Reply{Code: code, Reason: "x", Tag: []byte("t")})))
		}
	}
	f.Fuzz(func(t *testing.T, steps []byte) {
		r := newRig(t, nil)
		o := NewObserver(r.shard, Config{MaxTransactions: 4, MaxBranches: 3})
		for _, s := range steps[:min(len(steps), 200)] {
			if s >= 0xf0 {
				r.after(time.Duration(s&15) * 10 * time.Second)
				continue
			}
			o.Pass(peer("caller"), []byte(texts[int(s)%len(texts)]))
		}
		o.Close()
		if n := len(o.legs) + len(o.s.byID) + len(o.s.dialogs) + r.shard.Timers().Len(); n != 0 {
			t.Errorf("%d entries are left", n)
		}
	})
}
