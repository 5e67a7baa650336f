package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/runtime/lua/spec"
	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/craft"
	"github.com/hookd/hookd/stacks/sip"
	"github.com/hookd/hookd/stacks/sip/phone"
	"github.com/hookd/hookd/stacks/sip/sniff"
)

// specHost makes what specs run on.
func specHost() spec.Host {
	return spec.Host{New: newTraffic, Words: []string{"phone"}}
}

// newTraffic makes the engine of one spec, and its stacks.
func newTraffic(sink engine.Sink, tick func() int64) (*engine.Engine, spec.Traffic) {
	t := &traffic{fns: flow.NewFunctions(), phones: phone.New(sip.Config{}, tick), tick: tick}
	e := newEngine(engineOptions{sips: t.phones.Group()}, sink, t.fns)
	if err := t.phones.Start(e.Shards()); err != nil {
		panic(fmt.Sprintf("hookd: %v", err)) // it opens nothing and is started once
	}
	var cfg flow.Config
	t.seen = observeSIP(e, sink, sip.Config{}, sniff.DefaultConfig(), &cfg)
	t.stack = flow.New(e.Shard(0), cfg)
	t.stack.WantStreams(true)
	t.fns.Install(t.stack)
	return e, t
}

// verify runs the specs of changed scripts before those go live.
func verify(sources []engine.Source, changed []string) diag.List {
	return spec.Verify(specHost(), sources, changed)
}

// traffic is the stacks of one spec.
type traffic struct {
	stack  *flow.Stack
	fns    *flow.Functions
	phones *phone.Switchboard
	seen   *sipObserver
	tick   func() int64
}

// Word implements [spec.Traffic].
func (t *traffic) Word(string) func([]any) (any, error) { return t.phones.Word }

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
