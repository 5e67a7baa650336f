package main

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/net/bpf"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/capture/live"
	"github.com/hookd/hookd/stacks/flow/feed"
	"github.com/hookd/hookd/stacks/flow/filter"
)

// liveInterface is an interface that a daemon captures from: with a ring a shard,
// where those are driven apart.
type liveInterface struct {
	name  string
	rings []*ring
}

// ring is what one goroutine reads of an interface.
type ring struct {
	*live.Source
	// keep selects packets where the kernel does not; nil: all are wanted.
	keep   *packetFilter
	choice *choice
}

// choice is who selects packets of an interface. All of its rings ask when they open
// it, each on a goroutine of its own, and again when it comes back.
type choice struct {
	expr *filter.Expr
	// ours: hookd does. It stays so, as other rings may not have asked yet.
	ours atomic.Bool
}

// program is [live.Config.Filter].
func (c *choice) program(link uint16, snaplen int) ([]bpf.RawInstruction, error) {
	if c.ours.Load() {
		return nil, nil
	}
	prog, err := c.expr.BPF(link, snaplen)
	if errors.Is(err, filter.ErrBPFTooLong) {
		c.ours.Store(true)
		return nil, nil
	}
	return prog, err
}

// Next implements [feed.Source].
func (r *ring) Next(f *capture.Frame, wait time.Duration) error {
	var until time.Time
	for n := 1; ; n++ {
		if err := r.Source.Next(f, wait); err != nil || r.keep == nil || !r.choice.ours.Load() {
			return err
		}
		if wanted, err := r.keep.selects(f); wanted || err != nil {
			return err
		}
		// What is not wanted is waited through no longer than for what is.
		if until.IsZero() {
			until = time.Now().Add(wait)
		}
		if wait = max(0, time.Until(until)); wait == 0 && n >= feed.EntryFrames {
			return feed.ErrIdle
		}
	}
}

// openLive opens the interfaces. Each has its rings, and its filter in the kernel
// where the kernel can decide it.
func (d *daemon) openLive(cfg *feed.Config) error {
	for _, name := range d.options.interfaces {
		l, err := d.openInterface(name)
		if err != nil {
			return fail(exitIO, err)
		}
		d.live = append(d.live, l)
		for _, r := range l.rings {
			d.source.add(r)
		}
	}
	cfg.Lag = live.Latency
	return nil
}

func (d *daemon) openInterface(name string) (*liveInterface, error) {
	keep, err := newPacketFilter(d.options.filter)
	if err != nil {
		return nil, err
	}
	cfg := live.Config{
		Interface: name, Promiscuous: d.options.promiscuous, RingBytes: d.options.ring << 20, Log: d.log,
	}
	var who choice
	if keep != nil {
		who.expr = keep.expr
		who.ours.Store(keep.tagged) // the kernel takes the tag off before its filter sees the frame
		cfg.Filter = who.program
	}
	sources, err := d.openRings(cfg)
	l := &liveInterface{name: name}
	for _, s := range sources {
		r := &ring{Source: s, choice: &who}
		if keep != nil { // each goroutine has its own
			r.keep = keep.another()
		}
		l.rings = append(l.rings, r)
	}
	return l, err
}

// openRings opens an interface once, or for each of the shards that are driven
// apart, between which the kernel spreads connections as the stacks do.
func (d *daemon) openRings(cfg live.Config) (list []*live.Source, err error) {
	shards := d.engine.Shards()
	if shards.Drive() == event.Together {
		s, err := live.Open(cfg)
		if err != nil {
			return nil, err
		}
		return []*live.Source{s}, nil
	}
	if cfg.Spread, err = d.front.SpreadProgram(); err != nil {
		return nil, err
	}
	return live.OpenShared(cfg, shards.Len())
}

// interfaceStatus is an interface in status.
type interfaceStatus struct {
	Name string `json:"name"`
	live.Stats
	// Rings is how many the kernel spreads the packets over.
	Rings int `json:"rings"`
	// Filtered says where --filter is decided: "kernel" or "hookd"; empty without.
	Filtered string `json:"filtered,omitempty"`
}

// stats sums up what the rings counted.
func (l *liveInterface) stats() live.Stats {
	var sum live.Stats
	for _, r := range l.rings {
		st := r.Stats()
		sum.Packets += st.Packets
		sum.Drops += st.Drops
		sum.Freezes += st.Freezes
		sum.Downs = max(sum.Downs, st.Downs) // they all see it go
	}
	return sum
}

// interfaces returns how the interfaces fare.
func (d *daemon) interfaces() []interfaceStatus {
	var list []interfaceStatus
	for _, l := range d.live {
		st := interfaceStatus{Name: l.name, Stats: l.stats(), Rings: len(l.rings)}
		if d.options.filter != "" {
			st.Filtered = "kernel"
			if l.rings[0].choice.ours.Load() {
				st.Filtered = "hookd"
			}
		}
		list = append(list, st)
	}
	return list
}

// dropPrivileges gives up what only opening interfaces needed: the daemon goes on
// as --user, or as the user who called sudo.
func (d *daemon) dropPrivileges() error {
	uid, gid, err := d.options.lesser()
	switch {
	case err != nil:
		return err
	case uid < 0 && os.Geteuid() == 0:
		d.log.Warn("runs on as root; --user NAME gives that up")
		return nil
	case uid >= 0:
		for _, p := range []string{d.options.control, d.options.log, d.options.state} {
			if p == "" {
				continue
			}
			if err := os.Chown(p, uid, gid); err != nil {
				return fail(exitIO, fmt.Errorf("give to user %d: %w", uid, err))
			}
		}
	}
	if err := live.Drop(uid, gid); uid < 0 && errors.Is(err, live.ErrNoDrop) {
		d.log.Warn("rights are kept", "err", err)
		return nil
	} else if err != nil {
		return fail(exitIO, err)
	}
	d.log.Info("rights are given up", "uid", os.Getuid(), "gid", os.Getgid())
	return nil
}

// lesser returns who the daemon is to be once everything is open; -1 where it
// stays who it is.
func (o *runOptions) lesser() (uid, gid int, err error) {
	number := func(text string) int {
		n, bad := strconv.Atoi(text)
		if bad != nil && err == nil {
			err = usagef("--user: %q is no number of a user or group", text)
		}
		return n
	}
	if o.user != "" {
		u, lookup := user.Lookup(o.user)
		if lookup != nil {
			return -1, -1, usagef("--user %s: %w", o.user, lookup)
		}
		uid, gid = number(u.Uid), number(u.Gid)
		return uid, gid, err
	}
	if by := os.Getenv("SUDO_UID"); by != "" && os.Geteuid() == 0 && os.Getenv("SUDO_GID") != "" {
		uid, gid = number(by), number(os.Getenv("SUDO_GID"))
		return uid, gid, err
	}
	return -1, -1, nil
}
