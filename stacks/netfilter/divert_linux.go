package netfilter

import (
	"errors"
	"fmt"
	"os"

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
	// Output is where this host's own packets pass.
	Output Hook = 3
)

// Diverter is a rule that hands all packets of a namespace to a queue: a wire that can
// be stopped. It belongs to its socket: with the process it is gone.
type Diverter struct {
	conn *netlink.Conn
	name string
	own  bool
}

// Divert makes the rule. The queue should be open before. Packets with [Mark] never go
// to it. Where the kernel knows no owner of tables (before Linux 5.12), it is only as
// gone as [Diverter.Close] makes it.
func Divert(ns netns.Handle, num uint16, at Hook) (*Diverter, error) {
	c, err := dial(ns)
	if err != nil {
		return nil, fmt.Errorf("netfilter: divert: %w", err)
	}
	d := &Diverter{conn: c, name: fmt.Sprintf("hookd-divert-%d-%d", os.Getpid(), tables.Add(1))}
	f := probe(c)
	if !f.Way.CanHold() {
		return nil, errors.Join(fmt.Errorf("netfilter: divert: %v: %w", f.Way, errors.Join(unix.EOPNOTSUPP, f.Err)), c.Close())
	}
	d.own = f.Owner
	if err := d.create(f, num, at); err != nil {
		return nil, errors.Join(fmt.Errorf("netfilter: divert: %w", err), c.Close())
	}
	return d, nil
}

func (d *Diverter) create(f Features, num uint16, at Hook) error {
	var r ruleset
	r.begin()
	flags := uint32(0)
	if f.Owner {
		flags = tableOwner
	}
	r.table(d.name, flags)
	r.chain(d.name, "all", uint32(at), 0)
	r.rule(d.name, "all", meta(unix.NFT_META_MARK), compareMark(Mark), decide(nfAccept))
	r.rule(d.name, "all", count(), queue(f.Way, num))
	return r.commit(d.conn)
}

// Close takes the rule away.
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
