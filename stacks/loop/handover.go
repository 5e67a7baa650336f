package loop

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/netio"
)

// ListeningSocket is a listening socket that goes from one process to the next.
type ListeningSocket struct {
	Network string   `json:"network"`
	Address string   `json:"address"`
	File    *os.File `json:"-"` // a copy; the holder's
}

// Passenger is a connection that goes from one process to the next.
type Passenger struct {
	// Listener is the name of the listener that took it.
	Listener string `json:"listener"`
	// Began is when it was accepted, in nanoseconds since the epoch.
	Began int64    `json:"began"`
	Tags  []string `json:"tags,omitempty"`
	// Data is what scripts keep of it, by the script's path.
	Data map[string]json.RawMessage `json:"data,omitempty"`
	// Left is its socket, with the bytes that were not read or not written yet.
	*netio.Left `json:"-"`
}

func inheritance(network, address string) string { return network + " " + address }

// Sockets returns copies of all listening sockets but those of UDP, for the process that
// comes after this one. The caller closes them. Any goroutine.
func (g *Group) Sockets() ([]ListeningSocket, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var list []ListeningSocket
	for _, name := range slices.Sorted(maps.Keys(g.listeners)) {
		l := g.listeners[name]
		if l.sock == nil {
			continue
		}
		f, err := l.sock.File()
		if err != nil {
			for _, s := range list {
				err = errors.Join(err, s.File.Close())
			}
			return nil, fmt.Errorf("loop: copy listener %s: %w", name, err)
		}
		list = append(list, ListeningSocket{l.spec.place.network, l.spec.place.address, f})
	}
	return list, nil
}

// Inherit has listeners that are declared later use these sockets where their address is
// the same. [Group.Disinherit] closes them, once the listeners are open.
func (g *Group) Inherit(list []ListeningSocket) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inherited = map[string]*os.File{}
	for _, s := range list {
		g.inherited[inheritance(s.Network, s.Address)] = s.File
	}
}

// Disinherit closes the sockets of [Group.Inherit]: who uses one has a copy.
func (g *Group) Disinherit() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all error
	for _, f := range g.inherited {
		all = errors.Join(all, f.Close())
	}
	g.inherited = nil
	return all
}

// Doors says whether listeners let anybody in. Closed, they leave Unix sockets' paths to
// the process that has copies of them. Any goroutine that has entered no shard.
func (g *Group) Doors(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, l := range g.listeners {
		if l.sock == nil {
			continue
		}
		l.sock.Keep(!open)
		for _, p := range l.ports {
			p.s.sh.Enter()
			if open {
				p.conn.socket.Resume()
			} else {
				p.conn.socket.Pause()
			}
			p.s.sh.Leave()
		}
	}
}

// Depart has the loops give up the connections that another process can go on with:
// accepted ones over TCP and Unix sockets, without TLS, without a protocol, of which
// nothing waits, and that may go. tell is called for each with its shard entered, while
// its scripts' data is there; afterwards its handlers see it close. It returns how many
// stay, for [Group.Drain]. Any goroutine that has entered no shard.
func (g *Group) Depart(may func(*Conn) bool, tell func(*Conn, Passenger)) (stay int) {
	for _, s := range g.list() {
		s.sh.Enter()
		for c := s.first; c != nil; c = c.after {
			if c.mayLeave() && may(c) && c.leave(tell) {
				continue
			}
			if c.c != nil {
				stay++
			}
		}
		s.sh.Leave()
	}
	return stay
}

// mayLeave reports whether all there is to know of the connection can be told.
func (c *Conn) mayLeave() bool {
	waits := c.holds > 0 || c.reader != nil || len(c.writer) > 0 || len(c.messages) > 0 || c.until.Armed()
	return c.c != nil && c.inbound && c.up && !c.over && !c.atEOF && !waits && c.session == nil && c.pair == nil && c.lis != nil &&
		c.flags&^noDefrag == 0 && c.kind != loopev.KindUDP
}

// leave reports whether the connection left.
func (c *Conn) leave(tell func(*Conn, Passenger)) bool {
	left, err := c.c.Leave()
	if err != nil {
		return false
	}
	left.Fresh += c.fresh
	tell(c, Passenger{Listener: c.lis.name, Began: c.began, Tags: c.Tags(), Left: left})
	return true
}

// Board goes on with a connection that another process gave up: no accept is told, the
// next event is that of its next bytes. begin is called with the shard entered, before any
// event. Where the listener is no more, or full, that is an error and the connection
// ends. Any goroutine that has entered no shard.
func (g *Group) Board(p Passenger, begin func(*Conn)) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.listeners[p.Listener]
	if l == nil || l.sock == nil || l.spec.protocol != nil || l.spec.tls != nil {
		return errors.Join(fmt.Errorf("loop: no plain listener %s any more", p.Listener), p.File.Close())
	}
	at := slices.MinFunc(l.ports, func(a, b *port) int { return a.s.load() - b.s.load() })
	at.s.sh.Enter()
	defer at.s.sh.Leave()
	ls := at.conn.socket.(*netio.Listener)
	err := ls.Adopt(p.Left, at, func(n *netio.Conn) {
		c := at.s.accepted(at, n)
		c.begun, c.up, c.began, c.tags = true, true, p.Began, p.Tags
		begin(c)
	})
	if err != nil {
		return fmt.Errorf("loop: go on with a connection of %s: %w", p.Listener, err)
	}
	return nil
}

// load is how many connections the stack has.
func (s *Stack) load() int {
	s.sh.Enter()
	defer s.sh.Leave()
	return len(s.conns)
}
