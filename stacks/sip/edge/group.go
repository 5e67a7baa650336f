package edge

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/netio"
	"github.com/hookd/hookd/stacks/netio/dns"
	"github.com/hookd/hookd/stacks/sip"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// Config is what a group is made of. A zero field means its default.
type Config struct {
	// SIP are the stack's settings; a Key of zeros is made up.
	SIP sip.Config
	// Portable and Clock are netio.Config's.
	Portable bool
	Clock    func() int64
	// Wire, where set, is in the place of the network: no socket is opened.
	Wire Wire
	// Log gets what an operator should know; by default none.
	Log *slog.Logger
}

// Group is a process's SIP listeners, its connections and its stack. Without
// [Group.Start] nothing is opened: it only checks what scripts declare.
type Group struct {
	cfg Config

	mu        sync.Mutex // of what follows; held by who reconciles
	listeners map[string]*listener

	// What follows is there once the group started, and belongs to the shard.
	shard    *event.Shard
	io       *netio.Loop
	resolver *dns.Resolver
	stack    *sip.Stack
	ports    []*listener // that are open, in the order of their names
	conns    map[peerKey]netio.ID
	locals   map[netip.Addr]netip.Addr // address of ours that leads to a peer's
	deaf     map[netip.AddrPort]int64  // who took no TCP, and until when that is believed
	scratch  []byte
}

// New returns a group that opened nothing.
func New(cfg Config) *Group {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.SIP.Key == [16]byte{} {
		_, _ = rand.Read(cfg.SIP.Key[:]) // never fails, says its package
	}
	return &Group{cfg: cfg, listeners: map[string]*listener{}, conns: map[peerKey]netio.ID{}, locals: map[netip.Addr]netip.Addr{}, deaf: map[netip.AddrPort]int64{}}
}

// Start makes the stack, in the first shard; it gets nothing before [Group.Run]. It is
// called once, before scripts are loaded.
func (g *Group) Start(shards *event.Shards) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shard != nil {
		return errors.New("sip: start: the group was started before")
	}
	sh := shards.At(0)
	if g.cfg.Wire != nil {
		g.shard, g.stack = sh, sip.New(sh, g.cfg.SIP, g)
		return nil
	}
	io, err := netio.New(netio.Config{Shard: sh, Portable: g.cfg.Portable, Clock: g.cfg.Clock, Log: g.cfg.Log})
	if err != nil {
		return fmt.Errorf("sip: start: %w", err)
	}
	sh.Enter()
	defer sh.Leave()
	if g.resolver, err = dns.New(dns.Config{Loop: io, Files: dns.SystemFiles()}); err != nil {
		io.Close()
		return fmt.Errorf("sip: start: %w", err)
	}
	g.shard, g.io = sh, io
	g.stack = sip.New(sh, g.cfg.SIP, g)
	return nil
}

// Stack returns the stack, nil before Start.
func (g *Group) Stack() *sip.Stack { return g.stack }

// Stats returns what the stack counted. Any goroutine that has entered no shard.
func (g *Group) Stats() sip.Stats {
	if g.stack == nil {
		return sip.Stats{}
	}
	g.shard.Enter()
	defer g.shard.Leave()
	return g.stack.Stats()
}

// Run drives the loop until ctx ends, or until [Group.Drain] is done. It is called once.
func (g *Group) Run(ctx context.Context) error {
	if g.io == nil {
		return nil
	}
	err := g.io.Run(ctx)
	g.close()
	return err
}

// Close frees a group that was started and never ran.
func (g *Group) Close() {
	if g.io != nil {
		g.io.Close()
		g.close()
	}
}

// close ends the stack, when no loop runs any more.
func (g *Group) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shard.Enter()
	g.stack.Close()
	g.ports = nil
	g.shard.Leave()
	for name, l := range g.listeners {
		l.closeSocket()
		delete(g.listeners, name)
	}
	g.resolver.Close()
}

// Drain ends the loop: listeners close, connections end when what is queued is
// written, and Run returns, at the latest when that time is over. Any goroutine.
func (g *Group) Drain(within time.Duration) {
	if g.io == nil {
		return
	}
	g.shard.Enter()
	defer g.shard.Leave()
	for _, l := range g.ports {
		l.stop()
	}
	g.ports = nil
	g.io.Drain(within)
}

// Wake has the loop turn, since what is bound may have changed. Any goroutine.
func (g *Group) Wake() {
	if g.io != nil {
		g.io.Wake()
	}
}

// limits are those of one message.
func (g *Group) limits() msg.Limits { return g.stack.Limits() }
