package netio

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/hookd/hookd/engine/event"
)

// Config is a loop's settings. A zero field means its default.
type Config struct {
	// Shard is the shard that the loop runs in; required. One loop a shard.
	Shard *event.Shard
	// Budget is what the loops of a process share; by default a loop has its own.
	Budget *Budget
	// Portable takes goroutines over package net where epoll would be taken.
	Portable bool
	// Memory takes a network in memory in the place of the machine's. TLS is left out on it,
	// and names are looked up in it.
	Memory *Memory
	// Clock returns the time in nanoseconds since the Unix epoch and never goes back; by
	// default the time at New and what the monotonic clock counted since.
	Clock func() int64
	// Lookup resolves a name; by default that of net.DefaultResolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// Turn, where set, is called at the end of each turn with event time. With
	// PollInterval the loop turns at least so often; by default only when something happens.
	Turn         func(now int64)
	PollInterval time.Duration
	// SendTotal is how many bytes all connections of the loop queue together; 256 MiB by
	// default. One that would queue more is closed.
	SendTotal int
	// Lookups is how many names are resolved at once; 256 by default. More fail.
	Lookups int
	// Handshakes is how many TLS handshakes are under way at once; 4096 by default. One
	// more gives up the oldest.
	Handshakes int
	// Log gets what an operator should know, at most a line a second; by default none.
	Log *slog.Logger
}

// Bounds of one turn, so that no connection starves the others.
const (
	turnEvents = 64                     // events in one entry of the shard
	turnTime   = 200 * time.Microsecond // time in one entry
	turnRead   = 64 << 10               // bytes read from a connection
	turnWrite  = 256 << 10              // bytes written to a connection
	turnAccept = 64                     // connections accepted from a listener
	turnBatch  = 32                     // datagrams in one system call
	turnGrams  = 4 * turnBatch          // datagrams received from a socket
	turnPasses = 8                      // rounds of what handlers caused
	crowdTurns = 1024                   // turns between two looks at how many processors there are
)

func (c Config) withDefaults() Config {
	if c.Budget == nil {
		c.Budget = NewBudget(0)
	}
	if c.Clock == nil {
		start := time.Now()
		base := start.UnixNano()
		c.Clock = func() int64 { return base + int64(time.Since(start)) }
	}
	if c.Lookup == nil {
		c.Lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	c.bounds()
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c *Config) bounds() {
	if c.SendTotal <= 0 {
		c.SendTotal = 256 << 20
	}
	if c.Lookups <= 0 {
		c.Lookups = 256
	}
	if c.Handshakes <= 0 {
		c.Handshakes = 4096
	}
}

// Stats count what a loop did.
type Stats struct {
	Turns, Events      uint64 // waits that found something; sockets that were ready
	Accepted, Dialed   uint64
	Closed             uint64
	BytesIn, BytesOut  uint64
	GramsIn, GramsOut  uint64
	GramsCut           uint64 // datagrams longer than MaxDatagram
	GramsDropped       uint64 // datagrams that the send queue had no room for, or the system refused
	PeersEvicted       uint64
	RefusedListener    uint64 // accepted and closed: the listener's cap
	RefusedAddress     uint64 // the cap for one address
	RefusedTotal       uint64 // the process's cap
	RefusedDescriptors uint64 // no descriptor left
	Muted              uint64 // times a listener was not listened to for lack of descriptors
	PostsRefused       uint64
	LookupsRefused     uint64
	SendLimit          uint64 // connections closed for queueing too much
	Handshakes         HandshakeStats
}
