package loop

import (
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/netio"
	"github.com/hookd/hookd/stacks/netio/dns"
)

// Stack is the loop of one shard and its connections.
type Stack struct {
	group *Group
	sh    *event.Shard
	io    *netio.Loop
	names *dns.Resolver
	conns map[uint64]*Conn
	// first and last are the ends of the list of connections, in the order of their
	// numbers.
	first, last *Conn
	poll        event.Timer
	refused     []func() // what the shard's inbox had no room for
	// events are what is raised, one of a kind, filled anew each time.
	events struct {
		accept  loopev.Accept
		connect loopev.Connect
		recv    loopev.Recv
		send    loopev.Send
		poll    loopev.Poll
		timer   loopev.Timer
		full    loopev.Full
		drain   loopev.Drain
		eof     loopev.EOF
		message loopev.Message
		limit   loopev.Limit
		hello   loopev.TLSHello
		err     loopev.Error
		close   loopev.Close
	}
}

func newStack(g *Group, sh *event.Shard) (*Stack, error) {
	s := &Stack{group: g, sh: sh, conns: map[uint64]*Conn{}}
	var err error
	s.io, err = netio.New(netio.Config{
		Shard: sh, Budget: g.budget, Portable: g.cfg.Portable, Clock: g.cfg.Clock, Memory: g.cfg.Memory, Turn: s.turned, Log: g.cfg.Log,
	})
	if err != nil {
		return nil, err
	}
	if err := s.newNames(); err != nil {
		s.io.Close()
		return nil, err
	}
	return s, nil
}

// Shard returns the shard that the stack runs in.
func (s *Stack) Shard() *event.Shard { return s.sh }

// Loop returns the sockets below: for protocols that need more than a connection.
func (s *Stack) Loop() *netio.Loop { return s.io }

// Group returns the group that the stack is one of.
func (s *Stack) Group() *Group { return s.group }

// post has run called when the running handler returned. What connections owe is not
// lost where the inbox is full: then the end of the turn runs it. They post one call
// at a time, so the list is bounded by their number.
func (s *Stack) post(run func()) {
	if !s.io.Post(run) {
		s.refused = append(s.refused, run)
		s.io.Wake()
	}
}

// turned is the end of a turn: where something is bound to it, every connection is
// polled.
func (s *Stack) turned(now int64) {
	refused := s.refused
	s.refused = nil
	for _, run := range refused {
		run()
	}
	if !loopev.OnPoll.Wanted(s.sh) {
		s.sh.Timers().Stop(&s.poll)
		return
	}
	for c := s.first; c != nil; c = c.after {
		e := &s.events.poll
		*e = loopev.Poll{C: c, Now: now}
		loopev.OnPoll.Emit(s.sh, e)
	}
	// The loop sleeps no longer than until its shard's next timer, which is another's to
	// run where it does not turn by itself.
	s.sh.Timers().Arm(&s.poll, s.sh.Now()+int64(s.group.cfg.PollInterval), func(int64) { s.io.Stir() })
}

// quit ends what netio knows nothing of: listeners, and what only has timers.
func (s *Stack) quit() {
	for c := s.first; c != nil; {
		next := c.after
		if c.c == nil {
			if c.socket != nil {
				c.socket.Close()
			}
			c.finish(netio.Reason{Why: netio.Stopped})
		}
		c = next
	}
}

// add makes a connection known.
func (s *Stack) add(kind loopev.Kind) *Conn {
	c := &Conn{stack: s, kind: kind}
	c.client.conn, c.server.conn = c, c
	s.admit(c)
	return c
}

// admit gives a connection its number.
func (s *Stack) admit(c *Conn) {
	c.id, c.began = s.group.next.Add(1), s.now()
	s.conns[c.id] = c
	c.before = s.last
	if s.last == nil {
		s.first = c
	} else {
		s.last.after = c
	}
	s.last = c
}

// forget takes a connection that ended out.
func (s *Stack) forget(c *Conn) {
	delete(s.conns, c.id)
	if c.before == nil {
		s.first = c.after
	} else {
		c.before.after = c.after
	}
	if c.after == nil {
		s.last = c.before
	} else {
		c.after.before = c.before
	}
}

// now is event time, which stands still while the loop sleeps: what begins in
// another's entry of the shard begins at the last event.
func (s *Stack) now() int64 { return s.sh.Now() }
