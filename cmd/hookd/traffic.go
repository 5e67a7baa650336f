package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/runtime/lua/spec"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/craft"
	"github.com/hookd/hookd/stacks/loop/farend"
	"github.com/hookd/hookd/stacks/netio"
	"github.com/hookd/hookd/stacks/sip"
	"github.com/hookd/hookd/stacks/sip/phone"
	"github.com/hookd/hookd/stacks/sip/services"
	"github.com/hookd/hookd/stacks/sip/sniff"
)

// specHost makes what specs run on: the flow stack by itself, phones around that of SIP,
// and event loops in a network in memory.
func specHost() spec.Host {
	return spec.Host{Open: openTraffic, Words: append(farend.WordNames(), "phone")}
}

// openTraffic makes the engine of one test, and its stacks.
func openTraffic(env spec.Env) (*engine.Engine, spec.Traffic, error) {
	desk := services.New(services.Config{})
	t := &traffic{fns: flow.NewFunctions(), phones: phone.New(sip.Config{Watcher: desk}, env.Tick), tick: env.Tick}
	var err error
	if t.loops, err = farend.New(netio.NewMemory()); err != nil {
		return nil, nil, err
	}
	group := newLoops(t.loops.Config(env.Clock))
	e := newEngine(engineOptions{loops: group, sips: t.phones.Group(), desk: desk}, env.Sink, t.fns)
	if err := errors.Join(t.phones.Start(e.Shards()), group.Start(e.Shards())); err != nil {
		e.Close()
		return nil, nil, err
	}
	t.loops.Use(group)
	t.shard = e.Shard(0)
	var cfg flow.Config
	t.seen = observeSIP(e, env.Sink, sip.Config{}, sniff.DefaultConfig(), &cfg)
	t.stack = flow.New(t.shard, cfg)
	t.stack.WantStreams(true, true)
	t.fns.Install(t.stack)
	return e, t, nil
}

// verify runs the specs of changed scripts before those go live.
func verify(sources []engine.Source, changed []string) diag.List {
	return spec.Verify(specHost(), sources, changed)
}

// traffic is the stacks of one test.
type traffic struct {
	shard  *event.Shard
	stack  *flow.Stack
	fns    *flow.Functions
	phones *phone.Switchboard
	seen   *sipObserver
	loops  *farend.World
	tick   func() int64
}

// Settle implements [spec.Traffic].
func (t *traffic) Settle() (bool, error) { return t.loops.Settle() }

// Word implements [spec.Traffic].
func (t *traffic) Word(name string) any {
	if name == "phone" {
		return t.phones.Word
	}
	return t.loops.Word(name)
}

// Replay implements [spec.Traffic].
func (t *traffic) Replay(path string, start func(ts int64)) error {
	r, err := capture.Open(path)
	if err != nil {
		return err
	}
	defer r.Close()
	var f capture.Frame
	for n := 0; ; n++ {
		switch err := r.Next(&f); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if n == 0 {
			start(f.TS)
		}
		t.stack.Frame(uint16(f.Link), f.Data, f.WireLen, f.TS)
	}
}

// Connect implements [spec.Traffic].
func (t *traffic) Connect(cfg spec.ConnConfig) (spec.Conn, error) {
	c, err := craft.New(craft.Config{Client: cfg.Client, Server: cfg.Server, VLAN: cfg.VLAN}, func(frame []byte) {
		t.stack.Frame(uint16(capture.LinkTypeEthernet), frame, len(frame), t.tick())
	})
	if err != nil {
		return nil, err
	}
	return handMade{c}, nil
}

// Close implements [spec.Traffic].
func (t *traffic) Close() {
	t.loops.Close()
	t.shard.Enter()
	defer t.shard.Leave()
	t.phones.Close()
	t.stack.Close()
	t.seen.observer.Close()
	t.fns.Remove(t.stack)
}

// handMade names the sides of a crafted connection by words.
type handMade struct{ *craft.Conn }

func side(word string) (craft.Side, error) {
	switch word {
	case "client":
		return craft.Client, nil
	case "server":
		return craft.Server, nil
	}
	return 0, fmt.Errorf("side %q: client or server expected", word)
}

// ACK implements [spec.Conn].
func (h handMade) ACK(word string) error {
	s, err := side(word)
	if err == nil {
		h.Conn.ACK(s)
	}
	return err
}

// Send implements [spec.Conn].
func (h handMade) Send(word string, payload []byte) error {
	s, err := side(word)
	if err != nil {
		return err
	}
	return h.Conn.Send(s, payload)
}

// Resend implements [spec.Conn].
func (h handMade) Resend(word string) error {
	s, err := side(word)
	if err != nil {
		return err
	}
	return h.Conn.Resend(s)
}

// FIN implements [spec.Conn].
func (h handMade) FIN(word string) error {
	s, err := side(word)
	if err == nil {
		h.Conn.FIN(s)
	}
	return err
}

// RST implements [spec.Conn].
func (h handMade) RST(word string) error {
	s, err := side(word)
	if err == nil {
		h.Conn.RST(s)
	}
	return err
}
