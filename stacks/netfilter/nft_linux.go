package netfilter

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/stacks/netfilter/netlink"
	"github.com/hookd/hookd/stacks/netfilter/netns"
)

// nft blocks by sets of a table of its own.
type nft struct {
	conn  *netlink.Conn
	feat  Features
	queue uint16
	name  string
	r     ruleset
	old   bool // the kernel has no destroyElement
	// uses counts who wants an element: both ends of a connection on one host are two.
	uses map[element]int
}

// element is a direction of a connection in a set.
type element struct {
	set string
	dir Tuple // Local is the source
}

const tablePrefix = "hookd-lock-"

// sets are the sets of a table, by what they do and by IP version.
const setDrop4, setDrop6, setHold4, setHold6 = "drop4", "drop6", "hold4", "hold6"

// tables numbers the tables of this process: it may have several namespaces' open.
var tables atomic.Uint32

func (t *nft) create() error {
	t.name = fmt.Sprintf("%s%d-%d", tablePrefix, os.Getpid(), tables.Add(1))
	r := &t.r
	r.begin()
	r.table(t.name, 0)
	for i, set := range []string{setDrop4, setDrop6, setHold4, setHold6} {
		r.tuples(t.name, set, uint32(i+1), i%2 == 1)
	}
	pass := []expression{meta(unix.NFT_META_MARK), compareMark(Mark)}
	if t.feat.Notrack {
		pass = append(pass, untracked())
	}
	pass = append(pass, decide(nfAccept))
	for _, hook := range []struct {
		name string
		num  uint32
	}{{"arriving", hookPrerouting}, {"leaving", hookOutput}} {
		r.chain(t.name, hook.name, hook.num, raw)
		r.rule(t.name, hook.name, pass...)
		r.rule(t.name, hook.name, slices.Concat(tcpKey(false), []expression{in(setDrop4, 1), count(), decide(nfDrop)})...)
		r.rule(t.name, hook.name, slices.Concat(tcpKey(true), []expression{in(setDrop6, 2), count(), decide(nfDrop)})...)
	}
	if t.queue != 0 {
		hold := []expression{count(), queue(t.feat.Way, t.queue)}
		r.rule(t.name, "arriving", slices.Concat(tcpKey(false), []expression{in(setHold4, 3)}, hold)...)
		r.rule(t.name, "arriving", slices.Concat(tcpKey(true), []expression{in(setHold6, 4)}, hold)...)
	}
	return r.commit(t.conn)
}

// elementsOf returns what a block consists of, by set.
func elementsOf(mode Mode, list []Tuple) []element {
	out := make([]element, 0, 2*len(list))
	for _, t := range list {
		drop, hold := setDrop4, setHold4
		if t.is6() {
			drop, hold = setDrop6, setHold6
		}
		arriving := drop
		if mode == Hold {
			arriving = hold
		}
		out = append(out, element{arriving, t.reversed()}, element{drop, t})
	}
	return out
}

// apply writes what is to happen to elements, as few messages as go. A transaction
// has at most elementsPerBatch.
func (t *nft) apply(kind, flags uint16, lease time.Duration, list []element) {
	var some []Tuple
	for _, set := range []string{setDrop4, setDrop6, setHold4, setHold6} {
		some = some[:0]
		for _, e := range list {
			if e.set == set {
				some = append(some, e.dir)
			}
		}
		t.r.elements(kind, flags, t.name, set, uint64(lease/time.Millisecond), some)
	}
}

// elementsPerBatch keeps a transaction below what a socket without privilege can send.
const elementsPerBatch = 1600

func (t *nft) block(mode Mode, lease time.Duration, list []Tuple) error {
	all := elementsOf(mode, list)
	for at := 0; at < len(all); at += elementsPerBatch {
		some := all[at:min(at+elementsPerBatch, len(all))]
		if err := t.add(lease, some); err != nil {
			return errors.Join(err, t.remove(all[:at]))
		}
	}
	return nil
}

// add puts elements in. A table that somebody took away is made anew.
func (t *nft) add(lease time.Duration, list []element) error {
	fresh := slices.DeleteFunc(slices.Clone(list), func(e element) bool { return t.uses[e] > 0 })
	err := t.insert(lease, fresh)
	if errors.Is(err, unix.ENOENT) {
		if err = t.create(); err == nil {
			err = t.insert(lease, fresh)
		}
	}
	if err != nil {
		return err
	}
	for _, e := range list {
		t.uses[e]++
	}
	return nil
}

func (t *nft) insert(lease time.Duration, list []element) error {
	if len(list) == 0 {
		return nil
	}
	t.r.begin()
	t.apply(unix.NFT_MSG_NEWSETELEM, make_, lease, list)
	return t.r.commit(t.conn)
}

// renew takes elements out and puts them in again in one transaction: kernels
// before 6.12 leave the timeout of an element that is there as it is.
func (t *nft) renew(mode Mode, lease time.Duration, list []Tuple) error {
	all := elementsOf(mode, list)
	for at := 0; at < len(all); at += elementsPerBatch / 2 {
		some := all[at:min(at+elementsPerBatch/2, len(all))]
		t.r.begin()
		t.apply(unix.NFT_MSG_DELSETELEM, request, 0, some)
		t.apply(unix.NFT_MSG_NEWSETELEM, make_, lease, some)
		err := t.r.commit(t.conn)
		if errors.Is(err, unix.ENOENT) {
			return ErrLeaseExpired
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *nft) release(mode Mode, list []Tuple) error { return t.remove(elementsOf(mode, list)) }

// remove takes elements out that nobody wants any more. Those that expired are gone.
func (t *nft) remove(list []element) error {
	var gone []element
	for _, e := range list {
		switch t.uses[e] {
		case 0:
		case 1:
			delete(t.uses, e)
			gone = append(gone, e)
		default:
			t.uses[e]--
		}
	}
	var all error
	for at := 0; at < len(gone); at += elementsPerBatch {
		all = errors.Join(all, t.take(gone[at:min(at+elementsPerBatch, len(gone))]))
	}
	return all
}

// destroyElement is NFT_MSG_DESTROYSETELEM (Linux 6.3): deletes what is there. A
// transaction that fails because something is not there costs the kernel 10 ms and more.
const destroyElement = 30

// take takes elements out; those that have expired are gone.
func (t *nft) take(list []element) error {
	if len(list) == 0 {
		return nil
	}
	if !t.old {
		err := t.takeAll(destroyElement, list)
		if errors.Is(err, unix.ENOENT) { // the table
			return nil
		}
		if !errors.Is(err, unix.EINVAL) {
			return err
		}
		t.old = true
	}
	err := t.takeAll(unix.NFT_MSG_DELSETELEM, list)
	if !errors.Is(err, unix.ENOENT) {
		return err
	}
	var all error
	for i := range list {
		if err := t.takeAll(unix.NFT_MSG_DELSETELEM, list[i:i+1]); err != nil && !errors.Is(err, unix.ENOENT) {
			all = errors.Join(all, err)
		}
	}
	return all
}

func (t *nft) takeAll(kind uint16, list []element) error {
	t.r.begin()
	t.apply(kind, request, 0, list)
	return t.r.commit(t.conn)
}

func (t *nft) close() error {
	t.r.begin()
	t.r.dropTable(t.name)
	err := t.r.commit(t.conn)
	if errors.Is(err, unix.ENOENT) {
		err = nil
	}
	return errors.Join(err, t.conn.Close())
}

// Sweep takes away tables of processes that are gone, once nothing in them blocks
// any more: a killed process leaves its empty table behind. [Open] does it too.
func Sweep(ns netns.Handle) error {
	c, err := dial(ns)
	if err != nil {
		return err
	}
	defer c.Close()
	names, err := tablesThere(c)
	if err != nil {
		return fmt.Errorf("netfilter: list tables: %w", err)
	}
	var all error
	for _, name := range names {
		if !orphaned(name) {
			continue
		}
		if busy, err := blocking(c, name); err != nil || busy {
			all = errors.Join(all, err)
			continue
		}
		var r ruleset
		r.begin()
		r.dropTable(name)
		if err := r.commit(c); err != nil && !errors.Is(err, unix.ENOENT) {
			all = errors.Join(all, fmt.Errorf("netfilter: remove table %s: %w", name, err))
		}
	}
	return all
}

// tablesThere lists tables of locks.
func tablesThere(c *netlink.Conn) (names []string, err error) {
	var r ruleset
	r.message(unix.NFT_MSG_GETTABLE, request|unix.NLM_F_DUMP)
	r.End()
	err = c.Dump(&r.Builder, func(m netlink.Message) error {
		if len(m.Data) >= 4 {
			if name := netlink.Attrs(m.Data[4:]).Text(unix.NFTA_TABLE_NAME); strings.HasPrefix(name, tablePrefix) {
				names = append(names, name)
			}
		}
		return nil
	})
	return names, err
}

// blocking reports whether any set of a table has an element.
func blocking(c *netlink.Conn, table string) (bool, error) {
	n := 0
	for _, set := range []string{setDrop4, setDrop6, setHold4, setHold6} {
		var r ruleset
		r.message(unix.NFT_MSG_GETSETELEM, request|unix.NLM_F_DUMP)
		r.Text(unix.NFTA_SET_ELEM_LIST_TABLE, table)
		r.Text(unix.NFTA_SET_ELEM_LIST_SET, set)
		r.End()
		err := c.Dump(&r.Builder, func(m netlink.Message) error {
			if len(m.Data) >= 4 && len(netlink.Attrs(m.Data[4:]).Get(unix.NFTA_SET_ELEM_LIST_ELEMENTS)) > 0 {
				n++
			}
			return nil
		})
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return false, fmt.Errorf("netfilter: list set %s: %w", set, err)
		}
	}
	return n > 0, nil
}
