package loop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/netio"
	"github.com/hookd/hookd/stacks/netio/dns"
)

// Config is what a group is made of. A zero field means its default.
type Config struct {
	// Protocols are those that URLs and c:use can name. Names and schemes are unique.
	Protocols []Protocol
	// Conns is how many accepted connections there may be in all; what the limit on
	// descriptors leaves by default.
	Conns int
	Tuning
	// Portable takes goroutines over package net where epoll would be taken.
	Portable bool
	// Clock and Memory are netio.Config's. In a network in memory no files of
	// certificates are read, and what is declared as TLS counts as such.
	Clock  func() int64
	Memory *netio.Memory
	// Names is how names are found out about; by default as the system does it.
	Names dns.Config
	// Log gets what an operator should know; by default none.
	Log *slog.Logger
}

// Group is the loops of a process. Without [Group.Start] nothing is opened: it
// checks what scripts declare, and says of what they call that there are no sockets.
type Group struct {
	cfg        Config
	protocols  map[string]Protocol
	schemes    map[string]scheme
	next       atomic.Uint64 // number of the connection made last
	shelf      Shelf         // nil: nothing is kept
	handshakes atomic.Uint64 // that rules were asked about so far
	tokens     buckets
	counts     counts

	mu        sync.Mutex // of what follows; held by who reconciles
	stacks    atomic.Pointer[[]*Stack]
	budget    *netio.Budget
	listeners map[string]*listener
	inherited map[string]*os.File // listening sockets of the process before this one
}

// scheme is a URL scheme and who has it; protocol is nil for bare transports.
type scheme struct {
	Scheme
	protocol Protocol
}

// New returns a group that opened nothing. The error names a protocol or scheme
// that is there twice.
func New(cfg Config) (*Group, error) {
	if cfg.PollInterval <= 0 {
		cfg.PollInterval = defaultPoll
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	g := &Group{cfg: cfg, protocols: map[string]Protocol{}, schemes: map[string]scheme{}, listeners: map[string]*listener{}}
	for _, s := range []Scheme{{Name: "tcp", Network: "tcp"}, {Name: "tls", Network: "tcp", TLS: true}, {Name: "udp", Network: "udp"}, {Name: "unix", Network: "unix"}} {
		g.schemes[s.Name] = scheme{Scheme: s}
	}
	for _, p := range cfg.Protocols {
		if _, taken := g.protocols[p.Name()]; taken {
			return nil, fmt.Errorf("loop: two protocols are called %s", p.Name())
		}
		g.protocols[p.Name()] = p
		for _, s := range p.Schemes() {
			if _, taken := g.schemes[s.Name]; taken {
				return nil, fmt.Errorf("loop: two protocols have the scheme %s", s.Name)
			}
			g.schemes[s.Name] = scheme{s, p}
		}
	}
	return g, nil
}

// Start makes a stack for each shard, which run nothing before [Group.Run]. It is
// called once, before scripts are loaded.
func (g *Group) Start(shards *event.Shards) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stacks.Load() != nil {
		return errors.New("loop: start: the group was started before")
	}
	g.budget = netio.NewBudget(g.cfg.Conns)
	var list []*Stack
	for i := range shards.Len() {
		s, err := newStack(g, shards.At(i))
		if err != nil {
			for _, s := range list {
				s.io.Close()
			}
			g.budget.Close()
			return fmt.Errorf("loop: start: %w", err)
		}
		list = append(list, s)
	}
	g.stacks.Store(&list)
	return nil
}

// list returns the stacks, none before Start.
func (g *Group) list() []*Stack {
	if p := g.stacks.Load(); p != nil {
		return *p
	}
	return nil
}

// Stack returns the stack of a shard, nil if there is none. Any goroutine may ask.
func (g *Group) Stack(sh *event.Shard) *Stack {
	for _, s := range g.list() {
		if s.sh == sh {
			return s
		}
	}
	return nil
}

// Run drives the loops until ctx ends, or until [Group.Drain] is done, and then
// closes what is left. It is called once.
func (g *Group) Run(ctx context.Context) error {
	list := g.list()
	errs := make([]error, len(list))
	var loops sync.WaitGroup
	for i, s := range list {
		loops.Go(func() { errs[i] = s.io.Run(ctx) })
	}
	loops.Wait()
	for _, p := range g.cfg.Protocols {
		if w, ok := p.(interface{ Wait() }); ok {
			w.Wait() // for goroutines of its own
		}
	}
	g.close()
	return errors.Join(errs...)
}

// Turn is a turn of each loop that waits for nothing, for who drives a group that is not
// run, and reports whether there was anything to do. The caller has entered no shard.
func (g *Group) Turn() (worked bool, err error) {
	for _, s := range g.list() {
		did, failed := s.io.Turn()
		worked, err = worked || did, errors.Join(err, failed)
	}
	return worked, err
}

// Busy reports whether a goroutine of a protocol is at work, which will have the loops
// turn when it is done.
func (g *Group) Busy() bool {
	for _, p := range g.cfg.Protocols {
		if b, ok := p.(interface{ Busy() bool }); ok && b.Busy() {
			return true
		}
	}
	return false
}

// Close frees a group that was started and never ran.
func (g *Group) Close() {
	for _, s := range g.list() {
		s.io.Close()
	}
	g.close()
}

// close closes the sockets that listeners had, when no loop runs any more.
func (g *Group) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.list() {
		s.sh.Enter()
		s.quit()
		s.names.Close()
		s.sh.Leave()
	}
	for name, l := range g.listeners {
		l.closeSocket()
		delete(g.listeners, name)
	}
	if g.budget != nil {
		g.budget.Close()
	}
}

// Drain ends the loops gracefully: listeners close, connections are told, and Run
// returns when the last one ended, or that time is over. Any goroutine.
func (g *Group) Drain(within time.Duration) {
	for _, s := range g.list() {
		s.sh.Enter()
		s.quit()
		s.io.Drain(within)
		s.sh.Leave()
	}
}

// Wake has each loop turn, since what is bound may have changed. Any goroutine.
func (g *Group) Wake() {
	for _, s := range g.list() {
		s.io.Wake()
	}
}
