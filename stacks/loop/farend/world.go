package farend

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hookd/hookd/engine/event/verb"
	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/netio"
	"github.com/hookd/hookd/stacks/netio/dns"
)

// World is a network in memory with loops in it, and the ends of their connections
// that a test has.
type World struct {
	mem     *netio.Memory
	group   *loop.Group
	clients []turner
	servers []*server
	names   *names
}

// turner is an end of connections, or a socket.
type turner interface {
	// turn does what there is to do and reports whether there was anything.
	turn() (bool, error)
	// gone reports whether it will never do anything again.
	gone() bool
}

// New returns a world of a network, in which other stacks may be too.
func New(mem *netio.Memory) (*World, error) {
	w := &World{mem: mem}
	var err error
	if w.names, err = newNames(w); err != nil {
		return nil, err
	}
	return w, nil
}

// Config is what a group of loops in the world is made with.
func (w *World) Config(clock func() int64) loop.Config {
	return loop.Config{
		Memory: w.mem, Clock: clock,
		Names: dns.Config{
			Settings: dns.Settings{Servers: []netip.AddrPort{resolverAt}},
			// What it chooses by chance is chosen alike in each run.
			Rand: rand.New(rand.NewPCG(1, 2)),
		},
	}
}

// Use makes the group known whose listeners clients come to.
func (w *World) Use(g *loop.Group) { w.group = g }

// busyTime is how long a goroutine of the loops may take, in real time.
const busyTime = 5 * time.Second

// Settle does a part of what there is to do, and reports whether there was anything.
func (w *World) Settle() (bool, error) {
	worked, err := w.turn()
	for end := time.Now().Add(busyTime); !worked && err == nil && w.group.Busy(); worked, err = w.turn() {
		if time.Now().After(end) {
			return false, fmt.Errorf("a file is read for longer than %s", busyTime)
		}
		time.Sleep(20 * time.Microsecond)
	}
	return worked, err
}

func (w *World) turn() (worked bool, err error) {
	worked, err = w.group.Turn()
	for _, c := range slices.Clone(w.clients) {
		did, failed := c.turn()
		worked, err = worked || did, errors.Join(err, failed)
	}
	for _, s := range slices.Clone(w.servers) {
		did, failed := s.turn()
		worked, err = worked || did, errors.Join(err, failed)
	}
	w.clients = slices.DeleteFunc(w.clients, turner.gone)
	return w.names.turn() || worked, err
}

// Close closes the group. What the test has is gone with the world.
func (w *World) Close() { w.group.Close() }

// WordNames are the words of specs that [World.Word] has.
func WordNames() []string { return []string{"answer", "dial", "silence"} }

// Word returns a word of specs, nil if there is none of that name.
func (w *World) Word(name string) verb.Word {
	switch name {
	case "answer":
		return w.answer
	case "dial":
		return w.dial
	case "silence":
		return w.silence
	}
	return nil
}

// place finds out where a URL points, or the listener of that name. What has a name for a
// host is at an address that the name leads to then.
func (w *World) place(where string) (at loop.Place, to netip.AddrPort, err error) {
	for _, l := range w.group.Listeners() {
		if l.Name == where {
			if at, err = w.group.Where(l.URL); err != nil || at.Network == "unix" {
				return at, to, err
			}
			to, err = netip.ParseAddrPort(l.Addr)
			return at, to, err
		}
	}
	if !strings.Contains(where, ":") {
		return at, to, fmt.Errorf("there is no listener %q", where)
	}
	if at, err = w.group.Where(where); err != nil || at.Network == "unix" {
		return at, to, err
	}
	if to, err = netip.ParseAddrPort(at.Address); err != nil {
		to, err = w.names.endpoint(at.Address)
	}
	return at, to, err
}

// dial is dial(where [, { from = … }]): a client of a listener.
func (w *World) dial(c verb.Call) error {
	where, err := verb.Text(c, 0, "where to")
	if err != nil {
		return err
	}
	options, err := verb.Table(c, 1, "options")
	if err != nil {
		return err
	}
	var from netip.AddrPort
	for _, o := range options {
		if o.Key != "from" {
			return fmt.Errorf("there is no option %s; from is", o.Key)
		}
		if from, err = origin(o.Value); err != nil {
			return fmt.Errorf("from: %w", err)
		}
	}
	at, to, err := w.place(where)
	if err != nil {
		return err
	}
	if at.Network == "udp" {
		g, err := w.mem.Packets(from)
		if err != nil {
			return err
		}
		c.Return(w.addGrams(g, to))
		return nil
	}
	path := ""
	if at.Network == "unix" {
		path = at.Address
	}
	line, err := w.mem.Dial(from, to, path)
	if err != nil {
		c.Return(nil, err.Error())
		return nil
	}
	c.Return(w.add(line))
	return c.Settle()
}

// origin reads where a client comes from: an address, with a port or without.
func origin(v any) (netip.AddrPort, error) {
	text, _ := v.(string)
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.AddrPortFrom(a, 0), nil
	}
	at, err := netip.ParseAddrPort(text)
	if err != nil {
		return at, errors.New(`an address expected, such as "192.0.2.1" or "192.0.2.1:4000"`)
	}
	return at, nil
}

// add makes a client of a line.
func (w *World) add(line *netio.Line) *client {
	c := &client{end: newEnd(line)}
	w.clients = append(w.clients, c)
	return c
}

// silence is silence(url): who connects there hears nothing at all.
func (w *World) silence(c verb.Call) error {
	where, err := verb.Text(c, 0, "where")
	if err != nil {
		return err
	}
	at, to, err := w.place(where)
	if err != nil {
		return err
	}
	if at.Network == "unix" {
		return errors.New("a Unix socket is there or is not")
	}
	w.mem.Silence(to)
	return nil
}
