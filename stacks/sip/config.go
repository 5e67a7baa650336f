package sip

import (
	"time"

	"github.com/hookd/hookd/stacks/sip/msg"
)

// Config are a stack's settings. Zero fields stand for the defaults of
// [DefaultConfig].
type Config struct {
	// T1, T2 and T4 are RFC 3261's times (17.1.1.1): the first interval of
	// retransmission, the longest one, and how long a message may be on its way. T1 and
	// T2 are TM's retr_timer1 and retr_timer2.
	T1, T2, T4 time.Duration
	// FR is how long a branch may stay without any reply (timers B and F; fr_timer).
	FR time.Duration
	// FRInv is how long a branch of an INVITE may ring (timer C; fr_inv_timer).
	FRInv time.Duration
	// MaxInv is how long an INVITE may go without a final reply, whatever rings
	// (max_inv_lifetime).
	MaxInv time.Duration
	// Linger is how long a transaction stays after its final reply, to absorb what is
	// still on its way (timers D, H, J, L and M; wt_timer): 64*T1 by RFC 3261 and 6026.
	Linger time.Duration
	// SilentC ends an INVITE that no one answered without a reply, where nobody asked
	// for failures (noisy_ctimer = 0).
	SilentC bool
	// Timeout408 answers a request that is no INVITE with 408 when it timed out, which
	// RFC 4320 forbids and TM does.
	Timeout408 bool
	// ForwardStray forwards replies whose transaction is gone, as TM does; RFC 6026
	// (8.9) forbids it.
	ForwardStray bool
	// Block6xx false: a 6xx is like any other failure, and does not end the search
	// (disable_6xx_block). The default is true.
	No6xxBlock bool
	// NoAggregate: of several challenges only one is forwarded.
	NoAggregate bool
	// MaxTransactions bounds how many exist at once; a request beyond is answered with
	// 503 without one.
	MaxTransactions int
	// MaxBranches bounds how many branches one transaction has in all; 255 at most.
	MaxBranches int
	// MaxHeld bounds how many messages wait while a handler of their transaction does.
	MaxHeld int
	// MaxKept bounds how many of the latest messages are kept, for [Stack.Kept].
	MaxKept int
	// MaxDatagram is how long a request by UDP may be in bytes, its way's MTU less 200: a
	// longer one goes by TCP, and by UDP only where nobody takes that (RFC 3261, 18.1.1).
	MaxDatagram int
	// Limits bound one message.
	Limits msg.Limits
	// Watcher is told of what passes; nil is nobody.
	Watcher Watcher
	// Key makes branch parameters unguessable: 16 bytes that nobody else knows, new in each
	// process.
	Key [16]byte
	// RouteKey proves that a Record-Route was made here. Dialogs live longer than processes,
	// and so may it; where it is zero it is Key.
	RouteKey [16]byte
	// Recorded is called with a shard entered for each Record-Route; nil is nobody.
	Recorded func()
}

// DefaultConfig returns RFC 3261's times and hookd's limits.
func DefaultConfig() Config {
	return Config{
		T1: 500 * time.Millisecond, T2: 4 * time.Second, T4: 5 * time.Second,
		FR: 32 * time.Second, FRInv: 185 * time.Second, MaxInv: 15 * time.Minute, Linger: 32 * time.Second,
		MaxTransactions: 200_000, MaxBranches: 12, MaxHeld: 16, MaxDatagram: 1300, MaxKept: 2000,
		Limits: msg.DefaultLimits(),
	}
}

// mostBranches is what the number of a branch has room for.
const mostBranches = 255

// orDefaults fills in what is zero, and lowers what nothing has room for.
func (c Config) orDefaults() Config {
	d := DefaultConfig()
	if c.RouteKey == [16]byte{} {
		c.RouteKey = c.Key
	}
	if c.T1 != 0 && c.Linger == 0 {
		c.Linger = 64 * c.T1
	}
	for _, f := range []struct{ have, def *time.Duration }{
		{&c.T1, &d.T1},
		{&c.T2, &d.T2},
		{&c.T4, &d.T4},
		{&c.FR, &d.FR},
		{&c.FRInv, &d.FRInv},
		{&c.MaxInv, &d.MaxInv},
		{&c.Linger, &d.Linger},
	} {
		if *f.have == 0 {
			*f.have = *f.def
		}
	}
	for _, f := range []struct{ have, def *int }{
		{&c.MaxTransactions, &d.MaxTransactions},
		{&c.MaxBranches, &d.MaxBranches},
		{&c.MaxHeld, &d.MaxHeld},
		{&c.MaxKept, &d.MaxKept},
		{&c.MaxDatagram, &d.MaxDatagram},
		{&c.Limits.Size, &d.Limits.Size},
		{&c.Limits.Head, &d.Limits.Head},
		{&c.Limits.Fields, &d.Limits.Fields},
	} {
		if *f.have == 0 {
			*f.have = *f.def
		}
	}
	c.MaxBranches = min(c.MaxBranches, mostBranches)
	return c
}
