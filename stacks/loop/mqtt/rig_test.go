package mqtt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/loop/mqttwire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a group that runs, whose rules are a function.
type rig struct {
	t      *testing.T
	g      *loop.Group
	p      *Protocol
	set    *event.Shards
	points map[event.PointID]string
	at     string

	mu     sync.Mutex // guards log
	log    []string
	decide func(name string, e any) event.VerdictKind
	// hold has a handler wait, cancel ends its waiting with its connection; in the shard.
	hold   func(name string, then func(event.Verdict, error)) bool
	cancel func()
}

// Dispatch implements [event.Dispatcher].
func (r *rig) Dispatch(_ *event.Shard, id event.PointID, e any) event.Verdict {
	line := r.points[id]
	switch e := e.(type) {
	case *loopev.MQTTConnect:
		line += fmt.Sprintf(" %s %s %s will=%s", e.ClientID, e.User, e.Password, e.WillTopic)
	case *loopev.MQTTSubscribe:
		line += fmt.Sprintf(" %s %d", e.Filter, e.Qos)
	case *loopev.MQTTUnsubscribe:
		line += fmt.Sprintf(" %s %s", e.ClientID, e.Filter)
	case *loopev.MQTTDisconnect:
		line += fmt.Sprintf(" %s %d", e.ClientID, e.Code)
	case *loopev.MQTTPublish:
		line += fmt.Sprintf(" %s %s %d %v", e.Topic, e.Payload, e.Qos, e.Retain)
	case *loopev.MQTTConnected:
		line += fmt.Sprintf(" %d", e.Code)
	case *loopev.MQTTMessage:
		line += fmt.Sprintf(" %s %s %d %v", e.Topic, e.Payload, e.Qos, e.Retain)
	case *loopev.Error:
		line += " " + e.Message
	case *loopev.Close:
		line += " " + e.Reason
	}
	r.mu.Lock()
	r.log = append(r.log, line)
	r.mu.Unlock()
	if r.decide != nil {
		return event.Verdict{Kind: r.decide(r.points[id], e)}
	}
	return event.Verdict{}
}

// Await implements [event.Awaiter].
func (r *rig) Await(sh *event.Shard, id event.PointID, e any, _ event.Kept, then func(event.Verdict, error)) {
	v := r.Dispatch(sh, id, e)
	if r.hold == nil || !r.hold(r.points[id], then) {
		then(v, nil)
	}
}

// CancelWaits implements [event.Awaiter].
func (r *rig) CancelWaits(*event.Shard, event.Kept) {
	if r.cancel != nil {
		r.cancel()
	}
}

func (r *rig) do(f func()) {
	r.set.At(0).Enter()
	defer r.set.At(0).Leave()
	f()
}

// lines returns what was told so far.
func (r *rig) lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.log...)
}

func newRig(t *testing.T, shards int, decide func(name string, e any) event.VerdictKind) *rig {
	t.Helper()
	r, end := beginRig(t, shards, decide, nil)
	t.Cleanup(end)
	return r
}

// beginRig keeps sessions in a table, if there is one; end ends the loops.
func beginRig(t *testing.T, shards int, decide func(name string, e any) event.VerdictKind, table loop.Table) (r *rig, end func()) {
	t.Helper()
	p := New()
	g, err := loop.New(loop.Config{Protocols: []loop.Protocol{p}})
	if err != nil {
		t.Fatal(err)
	}
	options := []event.KV{{Key: "url", Value: "mqtt://127.0.0.1:0"}}
	if table != nil {
		g.Keep(func(name string) (loop.Table, error) {
			if name != "kept" {
				return nil, errors.New("there is none of that name")
			}
			return table, nil
		})
		options = append(options, event.KV{Key: "mqtt", Value: []event.KV{{Key: "sessions", Value: "kept"}}})
	}
	r = &rig{t: t, g: g, p: p, points: map[event.PointID]string{}, decide: decide}
	mode := event.Together
	if shards > 1 {
		mode = event.Apart
	}
	r.set = event.NewShards(shards, mode, 0)
	if err := g.Start(r.set); err != nil {
		t.Fatal(err)
	}
	for _, info := range loopev.Family.Events {
		for _, p := range info.Points {
			r.points[p.ID] = p.Name
		}
	}
	for i := range shards {
		sh := r.set.At(i)
		sh.Enter()
		sh.Bind(r, func(id event.PointID) bool {
			switch r.points[id] {
			case "loop.mqtt_connect", "loop.mqtt_subscribe", "loop.mqtt_publish", "loop.mqtt_unsubscribe", "loop.mqtt_disconnect", "loop.mqtt_connected", "loop.mqtt_message", "loop.error", "loop.close":
				return true
			}
			return false
		})
		sh.Leave()
	}
	change, errs := g.Prepare([]loop.Listen{{Name: "mqtt", Options: options}})
	if errs != nil && errs[0] != nil {
		t.Fatal(errs[0])
	}
	change.Commit()
	r.do(func() {
		list, _, _ := g.Conns(&event.Caller{Shard: r.set.At(0)}, []event.KV{{Key: "kind", Value: "listener"}})
		r.at = list.([]any)[0].(*loop.Conn).Server().Endpoint().String()
	})
	ctx, cancel := context.WithCancel(context.Background())
	var live sync.WaitGroup
	live.Go(func() {
		if err := g.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	return r, sync.OnceFunc(func() {
		cancel()
		live.Wait()
		p.brokers.Range(func(_, v any) bool {
			b := v.(*broker)
			if b.away.Len() == 0 && (len(b.sessions) != 0 || len(b.root.below) != 0 || len(b.root.subs) != 0) {
				t.Errorf("%d sessions and some filters are left", len(b.sessions))
			}
			return true
		})
	})
}

// port returns where the listener is.
func (r *rig) port() string { return fmt.Sprint(netip.MustParseAddrPort(r.at).Port()) }

// peer is a client from outside.
type peer struct {
	t       *testing.T
	c       net.Conn
	version byte
	buf     []byte
}

func (r *rig) dial() *peer {
	r.t.Helper()
	c, err := net.Dial("tcp", r.at)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return &peer{t: r.t, c: c, version: mqttwire.V311}
}

// login connects a client of that name.
func (r *rig) login(id string, change ...func(*mqttwire.Packet)) *peer {
	r.t.Helper()
	p := r.dial()
	hello := &mqttwire.Packet{Type: mqttwire.Connect, Version: p.version, Clean: true, ClientID: id}
	for _, f := range change {
		f(hello)
	}
	p.version = hello.Version
	p.send(hello)
	p.expect("connack 0 0")
	return p
}

func v5(p *mqttwire.Packet) { p.Version = mqttwire.V5 }

func (p *peer) send(list ...*mqttwire.Packet) {
	p.t.Helper()
	for _, pkt := range list {
		b, err := pkt.Append(nil, p.version)
		if err == nil {
			_, err = p.c.Write(b)
		}
		if err != nil {
			p.t.Fatal(err)
		}
	}
}

// recv returns the next packet, nil at the end.
func (p *peer) recv() *mqttwire.Packet {
	for {
		pkt, n, err := mqttwire.Parse(p.buf, p.version, 0)
		if err != nil {
			p.t.Errorf("the broker sends %q: %v", p.buf, err)
			return nil
		}
		if n > 0 {
			pkt.Payload = append([]byte(nil), pkt.Payload...)
			p.buf = p.buf[n:]
			return &pkt
		}
		b := make([]byte, 4096)
		m, err := p.c.Read(b)
		if m == 0 && err != nil {
			return nil
		}
		p.buf = append(p.buf, b[:m]...)
	}
}

// expect wants a packet, in short.
func (p *peer) expect(want string) *mqttwire.Packet {
	p.t.Helper()
	pkt := p.recv()
	got := "end"
	if pkt != nil {
		switch got = pkt.Type.String(); pkt.Type {
		case mqttwire.Connack:
			got += fmt.Sprintf(" %d", pkt.Reason)
			if pkt.SessionPresent {
				got += " 1"
			} else {
				got += " 0"
			}
		case mqttwire.Publish:
			got += fmt.Sprintf(" %s %s %d", pkt.Topic, pkt.Payload, pkt.QoS)
			if pkt.Retain {
				got += " retained"
			}
		case mqttwire.Suback, mqttwire.Unsuback:
			got += fmt.Sprintf(" %d %x", pkt.ID, pkt.Reasons)
		case mqttwire.Puback, mqttwire.Pubrec, mqttwire.Pubrel, mqttwire.Pubcomp, mqttwire.Disconnect:
			got += fmt.Sprintf(" %d %x", pkt.ID, pkt.Reason)
		}
	}
	if got != want {
		p.t.Errorf("got %s, want %s", got, want)
	}
	if pkt == nil {
		return &mqttwire.Packet{}
	}
	return pkt
}

func sub(id uint16, filters ...mqttwire.Filter) *mqttwire.Packet {
	return &mqttwire.Packet{Type: mqttwire.Subscribe, ID: id, Filters: filters}
}

func pub(topic, payload string, qos byte, id uint16) *mqttwire.Packet {
	return &mqttwire.Packet{Type: mqttwire.Publish, Topic: topic, Payload: []byte(payload), QoS: qos, ID: id}
}

func ack(t mqttwire.Type, id uint16) *mqttwire.Packet { return &mqttwire.Packet{Type: t, ID: id} }

func retained(p *mqttwire.Packet) *mqttwire.Packet {
	p.Retain = true
	return p
}

// quiet wants nothing to come: a ping is answered first.
func (p *peer) quiet() {
	p.t.Helper()
	p.send(&mqttwire.Packet{Type: mqttwire.Pingreq})
	p.expect("pingresp")
}
