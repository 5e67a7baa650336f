package mqtt

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/loop/mqttwire"
)

// TestQualities passes messages of all three, both versions.
func TestQualities(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	for _, change := range []func(*mqttwire.Packet){func(*mqttwire.Packet) {}, v5} {
		a, b := r.login("a", change), r.login("b", change)
		a.send(sub(1, mqttwire.Filter{Topic: "x/+", QoS: 2}, mqttwire.Filter{Topic: "y", QoS: 0}))
		a.expect("suback 1 0200")
		b.send(pub("x/1", "zero", 0, 0), pub("x/1", "one", 1, 7))
		b.expect("puback 7 0")
		a.expect("publish x/1 zero 0")
		p := a.expect("publish x/1 one 1")
		a.send(ack(mqttwire.Puback, p.ID))
		// Twice, as one whose acknowledgement was lost: told once.
		b.send(pub("x/1", "two", 2, 8), pub("x/1", "two", 2, 8))
		b.expect("pubrec 8 0")
		b.expect("pubrec 8 0")
		b.send(ack(mqttwire.Pubrel, 8))
		b.expect("pubcomp 8 0")
		p = a.expect("publish x/1 two 2")
		a.send(ack(mqttwire.Pubrec, p.ID))
		a.expect(fmt.Sprintf("pubrel %d 0", p.ID))
		a.send(ack(mqttwire.Pubcomp, p.ID))
		b.send(pub("y", "down", 2, 9), pub("z", "nobody", 0, 0))
		b.expect("pubrec 9 0")
		a.expect("publish y down 0")
		a.quiet()
		a.send(&mqttwire.Packet{Type: mqttwire.Unsubscribe, ID: 3, Filters: []mqttwire.Filter{{Topic: "y"}, {Topic: "never"}}})
		if a.version == mqttwire.V5 {
			a.expect("unsuback 3 0011")
		} else {
			a.expect("unsuback 3 ")
		}
		b.send(pub("y", "unheard", 0, 0))
		b.quiet()
		a.quiet()
		b.send(&mqttwire.Packet{Type: mqttwire.Disconnect})
		b.expect("end")
		_ = a.c.Close()
	}
}

func TestRetained(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	a := r.login("a")
	a.send(retained(pub("s/1", "old", 1, 1)), retained(pub("s/1", "new", 1, 2)), retained(pub("s/2", "two", 0, 0)), retained(pub("s/3", "gone", 0, 0)), retained(pub("s/3", "", 0, 0)))
	a.expect("puback 1 0")
	a.expect("puback 2 0")
	a.quiet()
	b := r.login("b", v5)
	b.send(sub(1, mqttwire.Filter{Topic: "s/1", QoS: 1}))
	b.expect("publish s/1 new 1 retained")
	b.expect("suback 1 01")
	b.send(sub(2, mqttwire.Filter{Topic: "s/1", RetainHandling: 1}))
	b.expect("suback 2 00")
	b.send(sub(3, mqttwire.Filter{Topic: "s/+", RetainHandling: 2}))
	b.expect("suback 3 00")
	c := r.login("c")
	c.send(sub(1, mqttwire.Filter{Topic: "#"}))
	got := []string{string(c.recv().Payload), string(c.recv().Payload)}
	if d := cmp.Diff(map[string]bool{"new": true, "two": true}, map[string]bool{got[0]: true, got[1]: true}); d != "" {
		t.Error(d)
	}
	c.expect("suback 1 00")
	// The flag is the publisher's only for who asks for it.
	b.send(sub(4, mqttwire.Filter{Topic: "t", AsPublished: true}))
	b.expect("suback 4 00")
	a.send(retained(pub("t", "live", 0, 0)))
	b.expect("publish t live 0 retained")
	c.expect("publish t live 0")
	// What one publishes itself is not for it, if it says so.
	b.send(sub(5, mqttwire.Filter{Topic: "own", NoLocal: true}))
	b.expect("suback 5 00")
	b.send(pub("own", "x", 0, 0))
	c.expect("publish own x 0")
	b.quiet()
}

// TestWill publishes for clients that are lost, not for those that take leave.
func TestWill(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	will := func(p *mqttwire.Packet) {
		p.Will = &mqttwire.Will{Topic: "gone/" + p.ClientID, Payload: []byte("x"), QoS: 1}
	}
	watch := r.login("watch")
	watch.send(sub(1, mqttwire.Filter{Topic: "gone/#"}))
	watch.expect("suback 1 00")
	lost := r.login("lost", will)
	_ = lost.c.Close()
	watch.expect("publish gone/lost x 0")
	left := r.login("left", will)
	left.send(&mqttwire.Packet{Type: mqttwire.Disconnect})
	left.expect("end")
	wants := r.login("wants", v5, will)
	wants.send(&mqttwire.Packet{Type: mqttwire.Disconnect, Reason: mqttwire.DisconnectWithWill})
	wants.expect("end")
	watch.expect("publish gone/wants x 0")
	// Another of the same name takes its place.
	first := r.login("same", v5, will)
	r.login("same")
	first.expect("disconnect 0 8e")
	first.expect("end")
	watch.expect("publish gone/same x 0")
	silent := r.login("silent", will, func(p *mqttwire.Packet) { p.KeepAlive = 1 })
	watch.expect("publish gone/silent x 0")
	silent.expect("end")
	watch.quiet()
}

// TestVerdicts has rules refuse.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, func(name string, e any) event.VerdictKind {
		text := ""
		switch e := e.(type) {
		case *loopev.MQTTConnect:
			text = e.User
		case *loopev.MQTTSubscribe:
			text = e.Filter
		case *loopev.MQTTPublish:
			text = e.Topic
		}
		switch {
		case strings.Contains(text, "bad"):
			return loopev.VerdictRefuse
		case strings.Contains(text, "drop"):
			return loopev.VerdictDrop
		}
		return 0
	})
	for _, version := range []byte{mqttwire.V31, mqttwire.V311, mqttwire.V5} {
		p := r.dial()
		p.version = version
		p.send(&mqttwire.Packet{Type: mqttwire.Connect, Version: version, Clean: true, ClientID: "x", HasUser: true, User: "bad", HasPassword: true, Password: []byte("pw")})
		p.expect(map[byte]string{mqttwire.V31: "connack 5 0", mqttwire.V311: "connack 5 0", mqttwire.V5: "connack 135 0"}[version])
		p.expect("end")
	}
	for _, c := range []struct {
		change               func(*mqttwire.Packet)
		suback, puback, drop string
	}{
		{func(*mqttwire.Packet) {}, "suback 1 8000", "puback 1 0", "puback 2 0"},
		{v5, "suback 1 8700", "puback 1 87", "puback 2 0"},
	} {
		p := r.login("p", c.change)
		p.send(sub(1, mqttwire.Filter{Topic: "bad"}, mqttwire.Filter{Topic: "#"}))
		p.expect(c.suback)
		p.send(pub("bad", "x", 1, 1), pub("drop", "x", 1, 2), pub("good", "x", 0, 0))
		p.expect(c.puback)
		p.expect(c.drop)
		p.expect("publish good x 0")
		p.send(&mqttwire.Packet{Type: mqttwire.Disconnect})
		p.expect("end")
	}
	if got := r.lines()[0]; got != "loop.mqtt_connect x bad pw will=" {
		t.Error(got)
	}
}

// TestViolations ends who breaks the protocol.
func TestViolations(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	for _, c := range []struct{ in, want string }{
		{"GET / HTTP/1.1\r\n\r\n", "end"},
		{"\xc0\x00", "end"},
		{"\x10\x0c\x00\x04MQTT\x09\x02\x00\x00\x00\x00", "connack 1 0"},
		{"\x10\x0c\x00\x04MQTT\x04\x00\x00\x00\x00\x00", "connack 2 0"},
		{"\x10\xff\xff\xff\x7f", "end"},
	} {
		p := r.dial()
		if _, err := p.c.Write([]byte(c.in)); err != nil {
			t.Fatal(err)
		}
		p.expect(c.want)
	}
	alias := pub("a", "x", 0, 0)
	alias.Properties = mqttwire.Properties{{ID: mqttwire.TopicAlias, Num: 1}}
	for _, c := range []struct {
		send *mqttwire.Packet
		want string
	}{
		{&mqttwire.Packet{Type: mqttwire.Connect, Version: mqttwire.V5, ClientID: "x"}, "disconnect 0 82"},
		{&mqttwire.Packet{Type: mqttwire.Pingresp}, "disconnect 0 82"},
		{alias, "disconnect 0 94"},
		{sub(1, mqttwire.Filter{Topic: strings.Repeat("a/", 100)}), "suback 1 97"},
		{ack(mqttwire.Pubrel, 9), "pubcomp 9 92"},
		{ack(mqttwire.Pubrec, 9), "pubrel 9 92"},
		{pub("big", strings.Repeat("x", maxPacket), 0, 0), "disconnect 0 95"},
	} {
		p := r.login("v", v5)
		p.send(c.send)
		p.expect(c.want)
		_ = p.c.Close()
	}
	got := r.login("", v5, func(p *mqttwire.Packet) { p.Properties = mqttwire.Properties{{ID: mqttwire.SessionExpiry, Num: 100}} })
	_ = got.c.Close()
}

// TestWindow sends no more at once than a client takes, and drops what a client does
// not read.
func TestWindow(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, nil)
	slow := r.login("slow", v5, func(p *mqttwire.Packet) {
		p.Properties = mqttwire.Properties{{ID: mqttwire.ReceiveMaximum, Num: 2}, {ID: mqttwire.MaximumPacketSize, Num: 1000}}
	})
	slow.send(sub(1, mqttwire.Filter{Topic: "#", QoS: 1}))
	slow.expect("suback 1 01")
	fast := r.login("fast")
	for i := range uint16(5) {
		fast.send(pub("x", fmt.Sprint(i), 1, i+1))
		fast.expect(fmt.Sprintf("puback %d 0", i+1))
	}
	first := slow.expect("publish x 0 1")
	slow.expect("publish x 1 1")
	slow.quiet()
	slow.send(ack(mqttwire.Puback, first.ID))
	slow.expect("publish x 2 1")
	fast.send(pub("x", strings.Repeat("y", 2000), 0, 0))
	fast.quiet()
	slow.quiet()
	// A flood of quality 0 to one who does not read takes bounded memory.
	block := pub("x", strings.Repeat("y", 900), 0, 0)
	for range 20_000 {
		fast.send(block)
	}
	fast.quiet()
	r.do(func() {
		b := r.p.broker(r.g.Stack(r.set.At(0)))
		if n := b.sessions["slow"].s.c.Net().Queued(); n > maxQueued+1000 {
			t.Errorf("%d bytes wait", n)
		}
	})
	if r.g.Stats().MessagesRefused == 0 {
		t.Error("nothing was dropped")
	}
}

// TestShards passes messages between clients of several shards.
func TestShards(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3, nil)
	var all []*peer
	for i := range 12 {
		p := r.login(fmt.Sprint("c", i))
		p.send(sub(1, mqttwire.Filter{Topic: "all"}))
		p.expect("suback 1 00")
		all = append(all, p)
	}
	all[0].send(pub("all", "hello", 1, 1))
	for i, p := range all {
		if i == 0 {
			for range 2 {
				p.recv()
			}
			continue
		}
		p.expect("publish all hello 0")
	}
	r.do(func() {
		if err := r.p.PublishAll(r.g.Stack(r.set.At(0)), "all", []byte("by rule"), 0, true); err != nil {
			t.Error(err)
		}
		if r.p.PublishAll(r.g.Stack(r.set.At(0)), "#", nil, 0, false) == nil {
			t.Error("published to a filter")
		}
	})
	for _, p := range all {
		p.expect("publish all by rule 0")
	}
	time.Sleep(20 * time.Millisecond)
	late := r.login("c3") // takes the place of another, wherever that is
	all[3].expect("end")
	late.send(sub(1, mqttwire.Filter{Topic: "all"}))
	late.expect("publish all by rule 0 retained")
}

// TestTold has the events of one client's life in their order, in each version.
func TestTold(t *testing.T) {
	t.Parallel()
	for _, version := range []byte{mqttwire.V31, mqttwire.V311, mqttwire.V5} {
		r := newRig(t, 1, nil)
		p := r.login("a", func(p *mqttwire.Packet) {
			p.Version, p.HasUser, p.User = version, true, "bob"
			p.Will = &mqttwire.Will{Topic: "gone"}
		})
		p.send(sub(1, mqttwire.Filter{Topic: "x/#", QoS: 1}, mqttwire.Filter{Topic: "y"}))
		p.expect("suback 1 0100")
		p.send(pub("z", "hello", 1, 2))
		p.recv()
		p.send(&mqttwire.Packet{Type: mqttwire.Unsubscribe, ID: 3, Filters: []mqttwire.Filter{{Topic: "x/#"}, {Topic: "none"}}})
		p.recv()
		p.quiet()
		last := "loop.mqtt_disconnect a 0"
		leave := &mqttwire.Packet{Type: mqttwire.Disconnect}
		if version == mqttwire.V5 {
			leave.Reason, last = mqttwire.DisconnectWithWill, "loop.mqtt_disconnect a 4"
		}
		p.send(leave)
		p.expect("end")
		r.logged("loop.close local")
		want := []string{
			"loop.mqtt_connect a bob  will=gone", "loop.mqtt_subscribe x/# 1", "loop.mqtt_subscribe y 0", "loop.mqtt_publish z hello 1 false",
			"loop.mqtt_unsubscribe a x/#", last, "loop.close local",
		}
		if d := cmp.Diff(want, r.lines()); d != "" {
			t.Errorf("version %d: %s", version, d)
		}
	}
}
