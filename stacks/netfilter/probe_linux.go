package netfilter

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/stacks/netfilter/netlink"
	"github.com/hookd/hookd/stacks/netfilter/netns"
)

// Way is how packets of a connection can be blocked, best first.
type Way uint8

const (
	// WayNone means that nothing can be blocked.
	WayNone Way = iota
	// WayQueue means nftables with its own queue statement.
	WayQueue
	// WayTarget means nftables with the NFQUEUE target of iptables.
	WayTarget
	// WayDrop means nftables that can only drop.
	WayDrop
	// WayIptables means no nftables: the iptables program, which can only drop here.
	WayIptables
)

// String returns a word for it.
func (w Way) String() string {
	return [...]string{"none", "nft queue", "nft xt NFQUEUE", "nft drop", "iptables drop"}[min(w, WayIptables)]
}

// CanHold reports whether packets can be held rather than dropped.
func (w Way) CanHold() bool { return w == WayQueue || w == WayTarget }

// Features is what the kernel and the caller's privileges allow in a network
// namespace.
type Features struct {
	Way     Way
	Owner   bool  // tables that go with the socket that made them
	Notrack bool  // forged packets can be kept out of connection tracking
	Err     error // why Way is not better; nil where it is the best
}

// Probe asks the kernel, in transactions that leave nothing behind. It needs
// CAP_NET_ADMIN over the namespace.
func Probe(ns netns.Handle) Features {
	c, err := dial(ns)
	if err != nil {
		return Features{Err: err}
	}
	defer c.Close()
	return probe(c)
}

func dial(ns netns.Handle) (c *netlink.Conn, err error) {
	err = ns.Do(func() error {
		c, err = netlink.Dial(unix.NETLINK_NETFILTER)
		return err
	})
	return c, err
}

func probe(c *netlink.Conn) Features {
	f := Features{}
	name := fmt.Sprintf("hookd-probe-%d", os.Getpid())
	try := func(flags uint32, e ...expression) error {
		var r ruleset
		r.begin()
		r.table(name, flags)
		r.chain(name, "in", hookPrerouting, raw)
		r.rule(name, "in", e...)
		r.dropTable(name)
		return r.commit(c)
	}
	if err := try(0, count(), decide(nfDrop)); err != nil {
		f.Err = err
		if _, missing := exec.LookPath("iptables"); missing == nil && !errors.Is(err, unix.EPERM) {
			f.Way = WayIptables
		}
		return f
	}
	f.Owner = try(tableOwner, count()) == nil
	f.Notrack = try(0, untracked()) == nil
	f.Way = WayDrop
	for _, way := range []Way{WayQueue, WayTarget} {
		err := try(0, slices.Concat(tcpKey(false), []expression{queue(way, 1)})...)
		if err == nil {
			f.Way = way
			break
		}
		if f.Err == nil && !errors.Is(err, unix.ENOENT) {
			f.Err = err
		}
	}
	return f
}
