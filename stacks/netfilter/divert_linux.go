package netfilter

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/stacks/netfilter/netlink"
	"github.com/hookd/hookd/stacks/netfilter/netns"
)

// Hook is a place in the kernel where packets pass.
type Hook uint8

const (
	// Prerouting is where packets arrive, before routing.
	Prerouting Hook = 0
	// Input is where packets for this host pass.
	Input Hook = 1
	// Forward is where packets for others pass.
	Forward Hook = 2
	// Output is where this host's own packets pass.
	Output Hook = 3
)

// DivertConfig says which packets go to a queue. Packets with [Mark], or with the
// mark given, never do.
type DivertConfig struct {
	Namespace netns.Handle
	Queue     uint16
	// Hooks are where: Forward alone by default.
	Hooks []Hook
	// Pass is a mark whose packets pass by, 0 for none: those that were let go on by
	// [Queue.Repeat].
	Pass uint32
	// FailOpen lets packets pass while nobody reads the queue.
	FailOpen bool
}

// Diverter is rules that hand packets to a queue. They belong to its socket: with
// the process they are gone.
type Diverter struct {
	conn *netlink.Conn
	name string
	own  bool
}

// Divert makes the rules. The queue should be open before. Where the kernel knows no
// owner of tables (before Linux 5.12), they are only as gone as [Diverter.Close] makes
// them.
func Divert(cfg DivertConfig) (*Diverter, error) {
	c, err := dial(cfg.Namespace)
	if err != nil {
		return nil, fmt.Errorf("netfilter: divert: %w", err)
	}
	d := &Diverter{conn: c, name: fmt.Sprintf("hookd-divert-%d-%d", os.Getpid(), tables.Add(1))}
	f := probe(c)
	if !f.Way.CanHold() {
		return nil, errors.Join(fmt.Errorf("netfilter: divert: %v: %w", f.Way, errors.Join(unix.EOPNOTSUPP, f.Err)), c.Close())
	}
	d.own = f.Owner
	if err := d.create(cfg, f); err != nil {
		return nil, errors.Join(fmt.Errorf("netfilter: divert: %w", err), c.Close())
	}
	return d, nil
}

func (d *Diverter) create(cfg DivertConfig, f Features) error {
	var r ruleset
	r.begin()
	flags := uint32(0)
	if f.Owner {
		flags = tableOwner
	}
	r.table(d.name, flags)
	if len(cfg.Hooks) == 0 {
		cfg.Hooks = []Hook{Forward}
	}
	for _, h := range slices.Compact(slices.Sorted(slices.Values(cfg.Hooks))) {
		name := fmt.Sprintf("hook%d", h)
		r.chain(d.name, name, uint32(h), 0)
		for _, mark := range []uint32{Mark, cfg.Pass} {
			if mark != 0 {
				r.rule(d.name, name, meta(unix.NFT_META_MARK), compareMark(mark), decide(nfAccept))
			}
		}
		r.rule(d.name, name, count(), queue(f.Way, cfg.Queue, cfg.FailOpen))
	}
	return r.commit(d.conn)
}

// Owned reports whether the rules go with the process, however it ends.
func (d *Diverter) Owned() bool { return d.own }

// Close takes the rules away.
func (d *Diverter) Close() error {
	var r ruleset
	r.begin()
	r.dropTable(d.name)
	err := r.commit(d.conn)
	if errors.Is(err, unix.ENOENT) {
		err = nil
	}
	return errors.Join(err, d.conn.Close())
}
