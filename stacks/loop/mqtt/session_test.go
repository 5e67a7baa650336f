package mqtt

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/loop/mqttwire"
)

// keeps asks for a session that outlives its connection, in either version.
func keeps(version byte) func(*mqttwire.Packet) {
	return func(p *mqttwire.Packet) {
		p.Version, p.Clean = version, false
		if version == mqttwire.V5 {
			p.Properties = mqttwire.Properties{{ID: mqttwire.SessionExpiry, Num: 3600}}
		}
	}
}

// enter logs a client in whose session is there already, or is not.
func (r *rig) enter(id string, present bool, change ...func(*mqttwire.Packet)) *peer {
	r.t.Helper()
	p := r.dial()
	hello := &mqttwire.Packet{Type: mqttwire.Connect, Version: p.version, Clean: true, ClientID: id}
	for _, f := range change {
		f(hello)
	}
	p.version = hello.Version
	p.send(hello)
	if present {
		p.expect("connack 0 1")
	} else {
		p.expect("connack 0 0")
	}
	return p
}

// gone closes a connection and waits until the broker noticed.
func (p *peer) gone(r *rig, away int64) {
	p.t.Helper()
	_ = p.c.Close()
	for end := time.Now().Add(time.Minute); r.p.counts.away.Load() != away; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("%d clients are away, want %d", r.p.counts.away.Load(), away)
		}
	}
}

// TestSession keeps what a client subscribed to, what it was sent and did not
// acknowledge, and what comes while it is away.
func TestSession(t *testing.T) {
	t.Parallel()
	for _, version := range []byte{mqttwire.V31, mqttwire.V311, mqttwire.V5} {
		r := newRig(t, 1, nil)
		other := r.login("other")
		a := r.enter("a", false, keeps(version))
		a.send(sub(1, mqttwire.Filter{Topic: "x/#", QoS: 2}))
		a.expect("suback 1 02")
		other.send(pub("x/1", "one", 1, 1), pub("x/2", "two", 2, 2), ack(mqttwire.Pubrel, 2), pub("x/3", "three", 2, 3), ack(mqttwire.Pubrel, 3))
		one, two, three := a.expect("publish x/1 one 1"), a.expect("publish x/2 two 2"), a.expect("publish x/3 three 2")
		a.send(ack(mqttwire.Pubrec, two.ID))
		a.expect(fmt.Sprintf("pubrel %d 0", two.ID))
		// What it sent itself and did not end is remembered too.
		a.send(pub("y", "own", 2, 40))
		if version == mqttwire.V5 {
			a.expect("pubrec 40 10") // nobody hears it
		} else {
			a.expect("pubrec 40 0")
		}
		a.gone(r, 1)

		other.send(pub("x/4", "four", 1, 4), pub("x/5", "five", 0, 0), pub("x/6", "six", 2, 5), ack(mqttwire.Pubrel, 5))
		for _, want := range []string{"puback 1 0", "pubrec 2 0", "pubcomp 2 0", "pubrec 3 0", "pubcomp 3 0", "puback 4 0", "pubrec 5 0", "pubcomp 5 0"} {
			other.expect(want)
		}
		if s := r.p.Stats().(Stats); s.Queued != 2 || s.Away != 1 {
			t.Errorf("%+v", s)
		}
		a = r.enter("a", version != mqttwire.V31, keeps(version))
		if again := a.expect("publish x/1 one 1"); !again.Dup || again.ID != one.ID {
			t.Errorf("sent again as %+v", again)
		}
		a.expect(fmt.Sprintf("pubrel %d 0", two.ID))
		if again := a.expect("publish x/3 three 2"); !again.Dup || again.ID != three.ID {
			t.Errorf("sent again as %+v", again)
		}
		if four := a.expect("publish x/4 four 1"); four.Dup || four.ID == one.ID || four.ID == two.ID || four.ID == three.ID {
			t.Errorf("sent as %+v", four)
		}
		a.expect("publish x/6 six 2")
		// Told once, though it comes again.
		dup := pub("y", "own", 2, 40)
		dup.Dup = true
		a.send(dup)
		a.expect("pubrec 40 0")
		a.send(ack(mqttwire.Pubrel, 40))
		a.expect("pubcomp 40 0")
		a.send(ack(mqttwire.Puback, one.ID), ack(mqttwire.Pubcomp, two.ID))
		a.quiet()
		other.send(pub("x/7", "seven", 0, 0))
		a.expect("publish x/7 seven 0")
		if n := strings.Count(strings.Join(r.lines(), "\n"), "own 2"); n != 1 {
			t.Errorf("the rules heard %d times of one message", n)
		}
		// With a clean start nothing of it is left.
		a.gone(r, 1)
		clean := r.enter("a", false, func(p *mqttwire.Packet) { p.Version = version })
		other.send(pub("x/8", "eight", 1, 6))
		other.expect("puback 6 0")
		clean.quiet()
		clean.gone(r, 0)
		r.enter("a", false, keeps(version)).gone(r, 1)
	}
}

// TestSessionTakenOver gives a session to another connection of that name, in whichever
// shard the two are.
func TestSessionTakenOver(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, nil)
	for i := range 20 {
		id := fmt.Sprint("c", i%2)
		p := r.enter(id, i > 1, keeps(mqttwire.V5))
		if i < 2 {
			p.send(sub(1, mqttwire.Filter{Topic: id, QoS: 1}))
			p.expect("suback 1 01")
		}
		r.do(func() {
			if err := r.p.PublishAll(r.g.Stack(r.set.At(0)), id, []byte(fmt.Sprint(i)), 1, false); err != nil {
				t.Error(err)
			}
		})
		// Those before were never acknowledged: they come again, in order.
		for j := i % 2; j <= i; j += 2 {
			p.expect(fmt.Sprintf("publish %s %d 1", id, j))
		}
	}
	if s := r.p.Stats().(Stats); s.Sessions != 2 || s.Away != 0 || s.Resumed != 18 {
		t.Errorf("%+v", s)
	}
}

// TestSessionBounds keeps no more for clients that are away than is allowed, and counts
// the rest.
func TestSessionBounds(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	a := r.enter("a", false, keeps(mqttwire.V311))
	a.send(sub(1, mqttwire.Filter{Topic: "many", QoS: 1}))
	a.expect("suback 1 01")
	b := r.enter("b", false, keeps(mqttwire.V311))
	b.send(sub(1, mqttwire.Filter{Topic: "large", QoS: 1}))
	b.expect("suback 1 01")
	a.gone(r, 1)
	b.gone(r, 2)
	other := r.login("other")
	for i := range uint16(maxWaiting + 50) {
		other.send(pub("many", fmt.Sprint(i), 1, i+1))
		other.expect(fmt.Sprintf("puback %d 0", i+1))
	}
	large := strings.Repeat("x", 100_000)
	for i := range uint16(20) {
		other.send(pub("large", large, 1, i+1))
		other.expect(fmt.Sprintf("puback %d 0", i+1))
	}
	kept := maxWaitingBytes / (len(large) + len("large"))
	if s := r.p.Stats().(Stats); s.QueueRefused != uint64(50+20-kept) || s.Queued != int64(maxWaiting+kept) || s.QueuedBytes > 2<<20 {
		t.Errorf("%+v", s)
	}
	a = r.enter("a", true, keeps(mqttwire.V311))
	for i := range maxWaiting {
		p := a.expect(fmt.Sprintf("publish many %d 1", i))
		a.send(ack(mqttwire.Puback, p.ID))
	}
	a.quiet()
	if s := r.p.Stats().(Stats); s.Queued != int64(kept) {
		t.Errorf("%+v", s)
	}
}

// TestSessionEnds ends sessions with their time, earlier than was asked for where the
// client says so, and tells what of a message's time is left.
func TestSessionEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	short := func(p *mqttwire.Packet) {
		keeps(mqttwire.V5)(p)
		p.Properties[0].Num = 1
	}
	a := r.enter("a", false, short)
	a.send(sub(1, mqttwire.Filter{Topic: "x", QoS: 1}))
	a.expect("suback 1 01")
	a.gone(r, 1)
	b := r.enter("b", false, keeps(mqttwire.V5))
	b.send(sub(1, mqttwire.Filter{Topic: "x", QoS: 1}))
	b.expect("suback 1 01")
	b.gone(r, 2)
	other := r.login("other", v5)
	brief, lasts := pub("x", "brief", 1, 1), pub("x", "lasts", 1, 2)
	brief.Properties = mqttwire.Properties{{ID: mqttwire.MessageExpiry, Num: 1}}
	lasts.Properties = mqttwire.Properties{{ID: mqttwire.MessageExpiry, Num: 100}}
	other.send(brief, lasts)
	other.expect("puback 1 0")
	other.expect("puback 2 0")
	time.Sleep(1100 * time.Millisecond)
	if s := r.p.Stats().(Stats); s.Expired != 1 || s.Away != 1 {
		t.Errorf("%+v", s)
	}
	r.enter("a", false, short).gone(r, 2)
	b = r.enter("b", true, keeps(mqttwire.V5))
	if left := b.expect("publish x lasts 1").Properties.Num(mqttwire.MessageExpiry, 0); left == 0 || left > 99 {
		t.Errorf("%d seconds are left", left)
	}
	b.send(&mqttwire.Packet{Type: mqttwire.Disconnect, Properties: mqttwire.Properties{{ID: mqttwire.SessionExpiry}}})
	b.expect("end")
	r.enter("b", false, keeps(mqttwire.V5))
	// None that was to end can be made to last.
	c := r.login("c", v5)
	c.send(&mqttwire.Packet{Type: mqttwire.Disconnect, Properties: mqttwire.Properties{{ID: mqttwire.SessionExpiry, Num: 9}}})
	c.expect("disconnect 0 82")
	// One that asks for too long is told how long it is.
	d := r.dial()
	d.version = mqttwire.V5
	d.send(&mqttwire.Packet{Type: mqttwire.Connect, Version: 5, Clean: true, ClientID: "d", Properties: mqttwire.Properties{{ID: mqttwire.SessionExpiry, Num: never}}})
	if n := d.expect("connack 0 0").Properties.Num(mqttwire.SessionExpiry, 0); time.Duration(n)*time.Second != maxAway {
		t.Errorf("%d seconds", n)
	}
}

// TestWillDelay publishes a will when its client stays away, when its session ends, and
// not if it is back before.
func TestWillDelay(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	watch := r.login("watch")
	watch.send(sub(1, mqttwire.Filter{Topic: "gone/#"}))
	watch.expect("suback 1 00")
	will := func(delay, expiry uint32) func(*mqttwire.Packet) {
		return func(p *mqttwire.Packet) {
			p.Version, p.Clean = mqttwire.V5, false
			p.Properties = mqttwire.Properties{{ID: mqttwire.SessionExpiry, Num: expiry}}
			p.Will = &mqttwire.Will{Topic: "gone/" + p.ClientID, Payload: []byte("x"), Properties: mqttwire.Properties{{ID: mqttwire.WillDelay, Num: delay}}}
		}
	}
	r.enter("late", false, will(1, 100)).gone(r, 1)
	watch.quiet()
	began := time.Now()
	watch.expect("publish gone/late x 0")
	if d := time.Since(began); d < 500*time.Millisecond {
		t.Errorf("after %s", d)
	}
	r.enter("back", false, will(1, 100)).gone(r, 2)
	back := r.enter("back", true, will(1, 100))
	r.enter("ends", false, will(100, 1)).gone(r, 2)
	watch.expect("publish gone/ends x 0")
	watch.quiet()
	// A clean start ends the session, and its will is told.
	back.gone(r, 2)
	r.enter("back", false, v5)
	watch.expect("publish gone/back x 0")
	watch.quiet()
}

// TestSessionCancelled has a message come again whose handler was interrupted by the end
// of its connection: nobody had it yet.
func TestSessionCancelled(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	a := r.enter("a", false, keeps(mqttwire.V311))
	r.do(func() {
		var held func(event.Verdict, error)
		r.hold = func(name string, then func(event.Verdict, error)) bool {
			if name == "loop.mqtt_publish" && held == nil {
				held = then
				return true
			}
			return false
		}
		r.cancel = func() {
			if f := held; f != nil {
				held = func(event.Verdict, error) {}
				f(event.Verdict{}, event.ErrCanceled)
			}
		}
	})
	watch := r.login("watch")
	watch.send(sub(1, mqttwire.Filter{Topic: "x"}))
	watch.expect("suback 1 00")
	a.send(pub("x", "once", 2, 7))
	for end := time.Now().Add(time.Minute); len(r.lines()) == 0 || !strings.Contains(strings.Join(r.lines(), "\n"), "once"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the message does not come")
		}
	}
	_ = a.c.(*net.TCPConn).SetLinger(0) // an end in order waits for the handler
	a.gone(r, 1)
	a = r.enter("a", true, keeps(mqttwire.V311))
	again := pub("x", "once", 2, 7)
	again.Dup = true
	a.send(again)
	a.expect("pubrec 7 0")
	watch.expect("publish x once 0")
}
