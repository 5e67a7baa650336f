package mqtt

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/stacks/loop/mqttwire"
)

// collect returns what came to each of several peers until so many messages did, in all.
func collect(t *testing.T, n int, peers ...*peer) (got [][]string) {
	t.Helper()
	type message struct {
		who int
		p   *mqttwire.Packet
	}
	ch := make(chan message)
	for i, p := range peers {
		go func() {
			for {
				pkt := p.recv()
				if pkt != nil && pkt.QoS == 1 {
					p.send(ack(mqttwire.Puback, pkt.ID))
				}
				ch <- message{i, pkt}
				if pkt == nil || pkt.Type == mqttwire.Pingresp {
					return
				}
			}
		}()
	}
	got = make([][]string, len(peers))
	for open := len(peers); open > 0; {
		select {
		case m := <-ch:
			switch {
			case m.p == nil:
				t.Fatal("a connection ended")
			case m.p.Type == mqttwire.Pingresp:
				open--
			default:
				got[m.who] = append(got[m.who], string(m.p.Payload))
				if n--; n == 0 {
					for _, p := range peers {
						p.send(&mqttwire.Packet{Type: mqttwire.Pingreq})
					}
				}
			}
		case <-time.After(time.Minute):
			t.Fatalf("%d messages are missing", n)
		}
	}
	return got
}

// TestShared gives each message to one client of a group, in turn, in whichever shards
// they are and whatever version they speak; others get theirs as well.
func TestShared(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, nil)
	var peers []*peer
	for i, version := range []byte{mqttwire.V311, mqttwire.V5, mqttwire.V31, mqttwire.V5} {
		p := r.login(fmt.Sprint("w", i), func(p *mqttwire.Packet) { p.Version = version })
		filter := "$share/work/jobs/+"
		if i == 3 {
			filter = "$share/audit/#"
		}
		p.send(sub(1, mqttwire.Filter{Topic: filter, QoS: 1}))
		p.expect("suback 1 01")
		peers = append(peers, p)
	}
	own := r.login("own", v5)
	own.send(sub(1, mqttwire.Filter{Topic: "jobs/#"}, mqttwire.Filter{Topic: "$share/own/jobs/x", QoS: 1}))
	own.expect("suback 1 0001")
	boss := r.login("boss", v5)
	for i := range uint16(30) {
		boss.send(pub("jobs/x", fmt.Sprint(i), 1, i+1))
		boss.expect(fmt.Sprintf("puback %d 0", i+1))
	}
	got := collect(t, 30+30+60, append(peers, own)...)
	var all []string
	for i, list := range got[:3] {
		if len(list) != 10 {
			t.Errorf("w%d has %d messages", i, len(list))
		}
		all = append(all, list...)
	}
	seen := map[string]bool{}
	for _, m := range all {
		seen[m] = true
	}
	if len(seen) != 30 || len(got[3]) != 30 || len(got[4]) != 60 {
		t.Errorf("%d, %d and %d messages", len(seen), len(got[3]), len(got[4]))
	}
	// What a script publishes is shared too, and what nobody wants is said to be that.
	r.do(func() {
		if err := r.p.PublishAll(r.g.Stack(r.set.At(0)), "jobs/y", []byte("by a script"), 1, false); err != nil {
			t.Error(err)
		}
	})
	n := 0
	for _, list := range collect(t, 3, append(peers, own)...) {
		n += len(list)
	}
	if n != 3 {
		t.Errorf("%d messages", n)
	}
	peers[3].send(&mqttwire.Packet{Type: mqttwire.Unsubscribe, ID: 2, Filters: []mqttwire.Filter{{Topic: "$share/audit/#"}, {Topic: "$share/audit/#"}, {Topic: "$share/no/x"}}})
	peers[3].expect("unsuback 2 001111")
	boss.send(pub("other", "x", 1, 99))
	boss.expect("puback 99 10")
	if n := r.p.shared.size.Load(); n != 4 {
		t.Errorf("%d members", n)
	}
}

// TestSharedAway passes over clients that are away, as long as one of their group is
// there; else their sessions keep what comes, in turn.
func TestSharedAway(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, nil)
	var peers [2]*peer
	for i := range peers {
		peers[i] = r.enter(fmt.Sprint("w", i), false, keeps(mqttwire.V5))
		peers[i].send(sub(1, mqttwire.Filter{Topic: "$share/g/x", QoS: 1}))
		peers[i].expect("suback 1 01")
	}
	boss := r.login("boss")
	publish := func(id uint16) {
		boss.send(pub("x", fmt.Sprint(id), 1, id))
		boss.expect(fmt.Sprintf("puback %d 0", id))
	}
	peers[0].gone(r, 1)
	publish(1)
	publish(2)
	if got := collect(t, 2, peers[1]); fmt.Sprint(got) != "[[1 2]]" {
		t.Error(got)
	}
	peers[1].gone(r, 2)
	for id := range uint16(4) {
		publish(id + 3)
	}
	for end := time.Now().Add(time.Minute); r.p.counts.queued.Load() != 4; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d messages wait", r.p.counts.queued.Load())
		}
	}
	var all []string
	for i := range peers {
		peers[i] = r.enter(fmt.Sprint("w", i), true, keeps(mqttwire.V5))
		list := collect(t, 2, peers[i])[0]
		if len(list) != 2 {
			t.Errorf("w%d: %q", i, list)
		}
		all = append(all, list...)
	}
	if len(all) != 4 {
		t.Error(all)
	}
	// One that logs in again by another connection is one member still.
	peers[1] = r.enter("w1", true, keeps(mqttwire.V5))
	publish(7)
	publish(8)
	if got := collect(t, 2, peers[:]...); len(got[0]) != 1 || len(got[1]) != 1 {
		t.Error(got)
	}
	for _, p := range peers {
		p.send(&mqttwire.Packet{Type: mqttwire.Disconnect, Properties: mqttwire.Properties{{ID: mqttwire.SessionExpiry}}})
		p.expect("end")
	}
	for end := time.Now().Add(time.Minute); r.p.shared.size.Load() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("members are left")
		}
	}
	r.p.shared.mu.Lock()
	defer r.p.shared.mu.Unlock()
	if len(r.p.shared.root.below) != 0 {
		t.Error("empty levels are left")
	}
}

// TestSharedUnfinished gives others what a client did not finish whose session ends: what it
// did not acknowledge, of quality 2 only what it never saw.
func TestSharedUnfinished(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, nil)
	boss := r.login("boss")
	publish := func(text string, qos byte, id uint16) {
		boss.send(pub("x", text, qos, id))
		if qos == 2 {
			boss.expect(fmt.Sprintf("pubrec %d 0", id))
			boss.send(ack(mqttwire.Pubrel, id))
			boss.expect(fmt.Sprintf("pubcomp %d 0", id))
			return
		}
		boss.expect(fmt.Sprintf("puback %d 0", id))
	}
	a := r.login("a", v5, func(p *mqttwire.Packet) { p.Properties = mqttwire.Properties{{ID: mqttwire.ReceiveMaximum, Num: 4}} })
	a.send(sub(1, mqttwire.Filter{Topic: "$share/g/x", QoS: 2}, mqttwire.Filter{Topic: "own", QoS: 1}))
	a.expect("suback 1 0201")
	publish("done", 1, 1)
	a.send(ack(mqttwire.Puback, a.expect("publish x done 1").ID))
	publish("one", 1, 2)
	publish("seen", 2, 3)
	boss.send(pub("own", "mine", 1, 9))
	boss.expect("puback 9 0")
	publish("two", 1, 4)
	for _, want := range []string{"publish x one 1", "publish x seen 2", "publish own mine 1", "publish x two 1"} {
		a.expect(want)
	}
	publish("unseen", 2, 5) // waits for its turn
	publish("last", 1, 6)
	b := r.login("b", v5)
	b.send(sub(1, mqttwire.Filter{Topic: "$share/g/x", QoS: 2}))
	b.expect("suback 1 02")
	_ = a.c.Close()
	for _, want := range []string{"one 1", "two 1", "unseen 2", "last 1"} {
		if got := b.expect("publish x " + want); got.Dup {
			t.Errorf("%s is no duplicate for it", want)
		}
	}
	b.quiet()
}

// TestSharedRetained keeps what is kept from those who share, and passes on what is to be
// kept as they ask.
func TestSharedRetained(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	boss := r.login("boss")
	boss.send(retained(pub("x", "old", 0, 0)))
	boss.quiet()
	a := r.login("a", v5)
	a.send(sub(1, mqttwire.Filter{Topic: "$share/g/x", AsPublished: true}))
	a.expect("suback 1 00")
	a.quiet()
	boss.send(retained(pub("x", "new", 0, 0)))
	a.expect("publish x new 0 retained")
}

// TestSharedMalformed is what cannot be shared.
func TestSharedMalformed(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	for _, c := range []struct {
		filter  mqttwire.Filter
		version byte
		want    string
	}{
		{mqttwire.Filter{Topic: "$share/g/a", NoLocal: true}, mqttwire.V5, "disconnect 0 82"},
		{mqttwire.Filter{Topic: "$share/g"}, mqttwire.V5, "disconnect 0 8f"},
		{mqttwire.Filter{Topic: "$share//a"}, mqttwire.V5, "disconnect 0 8f"},
		{mqttwire.Filter{Topic: "$share/g/"}, mqttwire.V5, "disconnect 0 8f"},
		{mqttwire.Filter{Topic: "$share/+/a"}, mqttwire.V5, "disconnect 0 8f"},
		{mqttwire.Filter{Topic: "$share/g#/a"}, mqttwire.V5, "disconnect 0 8f"},
		{mqttwire.Filter{Topic: "$share/g/a#"}, mqttwire.V311, "end"},
		{mqttwire.Filter{Topic: "$share/g/a"}, mqttwire.V311, "suback 1 00"},
		{mqttwire.Filter{Topic: "$shared/g/a"}, mqttwire.V5, "suback 1 00"},
	} {
		p := r.login("v", func(p *mqttwire.Packet) { p.Version = c.version })
		p.send(sub(1, c.filter))
		p.expect(c.want)
		_ = p.c.Close()
	}
}

// TestSharedByMosquitto has mosquitto's clients share.
func TestSharedByMosquitto(t *testing.T) {
	t.Parallel()
	subscribe, publish := program(t, "mosquitto_sub"), program(t, "mosquitto_pub")
	r := newRig(t, 2, nil)
	var outs [2]strings.Builder
	var cmds [2]*exec.Cmd
	for i, version := range []string{"mqttv5", "mqttv311"} {
		cmds[i] = exec.CommandContext(t.Context(), subscribe, "-V", version, "-h", "127.0.0.1", "-p", r.port(), "-q", "1", "-t", "$share/g/jobs/#", "-C", "5", "-W", "8")
		cmds[i].Stdout, cmds[i].Stderr = &outs[i], &outs[i]
		if err := cmds[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(time.Minute); r.p.shared.size.Load() < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("they do not subscribe")
		}
	}
	cmd := exec.CommandContext(t.Context(), publish, "-h", "127.0.0.1", "-p", r.port(), "-q", "1", "-t", "jobs/x", "-l")
	cmd.Stdin = strings.NewReader("0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for i, cmd := range cmds {
		if err := cmd.Wait(); err != nil || strings.Count(outs[i].String(), "\n") != 5 {
			t.Errorf("%v\n%s", err, &outs[i])
		}
	}
}

// TestSessionElsewhereBusy answers a login whose session is in a shard that takes nothing
// more, rather than to let its client in without what it had.
func TestSessionElsewhereBusy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		version byte
		want    string
	}{{mqttwire.V311, "connack 3 0"}, {mqttwire.V5, "connack 137 0"}} {
		r := newRig(t, 2, nil)
		keep := keeps(c.version)
		// The session is in shard 1, which then does nothing, so that the next one comes to the other.
		for n := 0; ; n++ {
			r.enter("a", n > 0, keep).gone(r, 1)
			if home, _ := r.p.homes.Load("a"); home.(*broker).stack.Shard() == r.set.At(1) {
				break
			}
			if n == 200 {
				t.Skip("nobody comes to shard 1")
			}
		}
		stuck := r.set.At(1)
		stuck.Enter()
		for stuck.Post(func() {}) {
		}
		p := r.dial()
		p.version = c.version
		hello := &mqttwire.Packet{Type: mqttwire.Connect, Version: c.version, ClientID: "a"}
		keep(hello)
		p.send(hello)
		p.expect(c.want)
		p.expect("end")
		if s := r.p.Stats().(Stats); s.Busy != 1 || s.Sessions != 1 || s.Away != 1 {
			t.Errorf("%+v", s)
		}
		posted := make(chan bool)
		stuck.Leave()
		for !stuck.Post(func() { close(posted) }) {
			time.Sleep(time.Millisecond)
		}
		<-posted // there is room again
		r.enter("a", true, keep)
	}
}

// TestSessionElsewhereTwice keeps a session that came here while its client was on its way
// to a shard that takes nothing more; its will is told.
func TestSessionElsewhereTwice(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2, nil)
	there := r.set.At(1)
	there.Enter()
	for there.Post(func() {}) {
	}
	r.do(func() {
		b, other := r.p.broker(r.g.Stack(r.set.At(0))), r.p.broker(r.g.Stack(there))
		s := &session{id: "a", expiry: 3600, will: &message{topic: "gone", retain: true, payload: []byte("x")}}
		b.adopt(s)
		b.p.homes.Store("a", other)
		b.enter("a", false, func(s *session, _ bool) {
			if s != nil {
				t.Error("it has a session")
			}
		})
		if b.sessions["a"] != s || s.place == nil || s.will != nil || b.retained["gone"] == nil {
			t.Errorf("%+v", s)
		}
	})
	there.Leave()
}

// TestSessionElsewhereSlow answers a login whose session does not come in time, and loses
// nothing of it when it comes all the same.
func TestSessionElsewhereSlow(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	t.Parallel()
	r := newRig(t, 2, nil)
	keep := keeps(mqttwire.V5)
	for n := 0; ; n++ {
		r.enter("a", n > 0, keep).gone(r, 1)
		if home, _ := r.p.homes.Load("a"); home.(*broker).stack.Shard() == r.set.At(1) {
			break
		}
		if n == 200 {
			t.Skip("nobody comes to shard 1")
		}
	}
	stuck := r.set.At(1)
	stuck.Enter()
	p := r.dial()
	p.version = mqttwire.V5
	hello := &mqttwire.Packet{Type: mqttwire.Connect, Version: mqttwire.V5, ClientID: "a"}
	keep(hello)
	p.send(hello)
	p.expect("connack 137 0")
	stuck.Leave()
	for end := time.Now().Add(time.Minute); r.p.counts.away.Load() != 1; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the session is nowhere")
		}
	}
	r.enter("a", true, keep)
}
