package loop

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
)

var _ loopev.Functions = (*Group)(nil)

// errNoLoop is what calls are told where nothing is opened: in checks and replays.
var errNoLoop = errors.New("no sockets are opened here")

// of returns the stack that a call comes from.
func (g *Group) of(by *event.Caller, what string) (*Stack, error) {
	if s := g.Stack(by.Shard); s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("%s: %w", what, errNoLoop)
}

// Dial implements [loopev.Functions].
func (g *Group) Dial(by *event.Caller, url string, options any) (loopev.Conn, error) {
	s, err := g.of(by, "loop.dial")
	if err != nil {
		return nil, err
	}
	d, err := g.parseDial(options, filepath.Dir(by.Script))
	if err == nil {
		var c *Conn
		if c, err = s.dial(url, d); err == nil {
			return c, nil
		}
	}
	return nil, fmt.Errorf("loop.dial: %w", err)
}

// New implements [loopev.Functions].
func (g *Group) New(by *event.Caller) (loopev.Conn, error) {
	s, err := g.of(by, "loop.new")
	if err != nil {
		return nil, err
	}
	return s.add(loopev.KindTimer), nil
}

// Find implements [loopev.Functions].
func (g *Group) Find(by *event.Caller, id uint64) loopev.Conn {
	if s := g.Stack(by.Shard); s != nil {
		if c := s.conns[id]; c != nil {
			return c
		}
	}
	return nil
}

// maxList bounds what loop.conns lists.
const maxList = 1000

// Conns implements [loopev.Functions].
func (g *Group) Conns(by *event.Caller, filter any) (any, string, bool) {
	f, err := readFilter(filter)
	if err != nil {
		return nil, "loop.conns: " + err.Error(), true
	}
	list := []any{}
	s := g.Stack(by.Shard)
	if s == nil {
		return list, "loop.conns: " + errNoLoop.Error(), true
	}
	for c := s.first; c != nil; c = c.after {
		if !f.matches(c) || filter == nil && c.kind == loopev.KindListener {
			continue
		}
		if len(list) == maxList {
			return list, fmt.Sprintf("loop.conns: there are more than %d", maxList), true
		}
		list = append(list, c)
	}
	return list, "", false
}

// Post implements [loopev.Functions].
func (g *Group) Post(_ *event.Caller, message, filter any) error {
	f, err := readFilter(filter)
	if err != nil {
		return fmt.Errorf("loop.post: %w", err)
	}
	if len(g.list()) == 0 {
		return fmt.Errorf("loop.post: %w", errNoLoop)
	}
	for _, s := range g.list() {
		if !s.io.Post(func() { s.tell(message, f) }) {
			err = errors.New("loop.post: too many wait in a shard")
		}
	}
	return err
}

// tell gives a message to the connections that f selects.
func (s *Stack) tell(message any, f filter) {
	if !loopev.OnMessage.Wanted(s.sh) {
		return
	}
	for c := s.first; c != nil; {
		next := c.after
		if f.matches(c) {
			if len(c.messages) >= maxMessages {
				s.group.counts.messages.Add(1)
			} else {
				c.messages = append(c.messages, message)
				c.deliver()
			}
		}
		c = next
	}
}
