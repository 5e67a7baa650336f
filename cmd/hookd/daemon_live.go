package main

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"time"

	"golang.org/x/net/bpf"

	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/capture/live"
	"github.com/hookd/hookd/stacks/flow/feed"
	"github.com/hookd/hookd/stacks/flow/filter"
)

// liveInterface is an interface that a daemon captures from.
type liveInterface struct {
	*live.Source
	name string
	// keep selects packets where the kernel cannot; nil: it does, or all are wanted.
	keep *packetFilter
}

// Next implements [feed.Source].
func (l *liveInterface) Next(f *capture.Frame, wait time.Duration) error {
	for {
		if err := l.Source.Next(f, wait); err != nil || l.keep == nil {
			return err
		}
		if wanted, err := l.keep.selects(f); wanted || err != nil {
			return err
		}
	}
}

// openLive opens the interfaces. Each has its ring, and its filter in the kernel
// where the kernel can decide it.
func (d *daemon) openLive(cfg *feed.Config) error {
	for _, name := range d.options.interfaces {
		l, err := d.openInterface(name)
		if err != nil {
			return fail(exitIO, err)
		}
		d.live = append(d.live, l)
		d.source.add(l)
	}
	cfg.Lag = live.Latency
	return nil
}

func (d *daemon) openInterface(name string) (*liveInterface, error) {
	keep, err := newPacketFilter(d.options.filter)
	if err != nil {
		return nil, err
	}
	l := &liveInterface{name: name}
	open := live.Config{
		Interface: name, Promiscuous: d.options.promiscuous, RingBytes: d.options.ring << 20, Log: d.log,
	}
	switch {
	case keep == nil:
	case keep.tagged:
		// The kernel takes the tag off before its filter sees the frame.
		l.keep = keep
	default:
		open.Filter = func(link uint16, snaplen int) ([]bpf.RawInstruction, error) {
			prog, err := keep.expr.BPF(link, snaplen)
			if errors.Is(err, filter.ErrBPFTooLong) {
				l.keep = keep
				return nil, nil
			}
			return prog, err
		}
	}
	l.Source, err = live.Open(open)
	return l, err
}

// interfaceStatus is an interface in status.
type interfaceStatus struct {
	Name string `json:"name"`
	live.Stats
	// Filtered says where --filter is decided: "kernel" or "hookd"; empty without.
	Filtered string `json:"filtered,omitempty"`
}

// interfaces returns how the interfaces fare.
func (d *daemon) interfaces() []interfaceStatus {
	var list []interfaceStatus
	for _, l := range d.live {
		st := interfaceStatus{Name: l.name, Stats: l.Stats()}
		if d.options.filter != "" {
			st.Filtered = "kernel"
			if l.keep != nil {
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
