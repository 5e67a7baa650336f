package live

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// spareSockets is how often an interface may come back while its sources share it
// and the right to open sockets was given up.
const spareSockets = 16

// group is the sources that share the packets of one interface (PACKET_FANOUT).
type group struct {
	spread []bpf.RawInstruction

	mu    sync.Mutex // guards what follows
	index int        // of the interface that the kernel's group id is for
	id    int
}

// OpenShared captures from an interface with n sources, which share the packets
// as cfg.Spread says. Each has its own ring, and may have its own goroutine. An
// interface that comes back is taken up again 16 times where the right to open
// sockets was given up: a socket that shared packets cannot be used for another
// interface.
func OpenShared(cfg Config, n int) (list []*Source, err error) {
	g := &group{spread: cfg.Spread}
	defer func() {
		if err == nil {
			return
		}
		for _, s := range list {
			err = errors.Join(err, s.Close())
		}
		list = nil
	}()
	for range n {
		s, err := open(cfg, g)
		if err != nil {
			return list, err
		}
		list = append(list, s)
		for range spareSockets {
			fd, err := newSocket()
			if err != nil {
				return list, fmt.Errorf("live: open %s: %w", cfg.Interface, err)
			}
			s.spares = append(s.spares, fd)
		}
	}
	return list, nil
}

// join has a socket that is bound to the interface of that index share its packets
// with those that did before.
func (g *group) join(fd, index int) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	kind := unix.PACKET_FANOUT_HASH | unix.PACKET_FANOUT_FLAG_DEFRAG
	if g.spread != nil {
		kind = unix.PACKET_FANOUT_CBPF
	}
	if g.index == index {
		return unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT, g.id|kind<<16)
	}
	// The id is one that no other program has: who has the same is in the group.
	err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT, (kind|unix.PACKET_FANOUT_FLAG_UNIQUEID)<<16)
	if err != nil {
		return err
	}
	id, err := unix.GetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT)
	if err != nil {
		return fmt.Errorf("id: %w", err)
	}
	if g.spread != nil {
		if err := setProgram(fd, unix.SOL_PACKET, unix.PACKET_FANOUT_DATA, g.spread); err != nil {
			return fmt.Errorf("program: %w", err)
		}
	}
	g.index, g.id = index, id&0xffff
	return nil
}

// spare takes a socket that was made while that was allowed.
func (s *Source) spare() (fd int, err error) {
	if len(s.spares) == 0 {
		return -1, fmt.Errorf("it came back for the %dth time: %w", spareSockets+1, ErrPermission)
	}
	last := len(s.spares) - 1
	fd, s.spares = s.spares[last], s.spares[:last]
	return fd, nil
}
