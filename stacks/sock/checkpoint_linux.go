package sock

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/stacks/netfilter"
	"github.com/hookd/hookd/stacks/sock/image"
)

// checkpoint is one taking of a connection.
type checkpoint struct {
	m     *Mover
	fd    int
	born  State
	opt   *CheckpointOptions
	p     Progress
	place *place
	tuple netfilter.Tuple
	since time.Time
	h     *Handle
	img   *image.Image
	// watched: the keeper has the socket; pending: the image's file waits for the commit.
	watched, pending bool
}

// Checkpoint takes a connection out of the kernel: it blocks its packets, pauses and
// reads the socket, hands the image to the sink, and ends the connection without a word
// to the peer. Descriptors that others hold are disconnected (ECONNABORTED). It closes
// fd. The connection stays blocked, see [Taken].
//
// Until the sink has returned, whatever fails resumes the connection in place, and
// fd stays open. Nobody may read or write the socket meanwhile.
func (m *Mover) Checkpoint(fd int, opt CheckpointOptions) (*Taken, error) {
	c := &checkpoint{m: m, fd: fd, opt: &opt, img: &image.Image{ID: image.NewID(), Generation: opt.Generation}}
	if err := c.prepare(); err != nil {
		c.unwatch()
		return nil, fmt.Errorf("sock: checkpoint: %w", err)
	}
	t, err := c.take()
	if err == nil && !opt.Leave {
		if err = c.commit(); err == nil {
			t.Blackout = time.Since(c.since)
			return t, nil
		}
	}
	if err == nil {
		err = c.back()
		t.Blackout = c.p.Blackout
		return t, err
	}
	c.failed(err)
	if t != nil {
		t.Free()
	}
	return nil, errors.Join(fmt.Errorf("sock: checkpoint %v: %w", c.tuple, err), c.back())
}

// prepare does all that needs no blackout.
func (c *checkpoint) prepare() error {
	var err error
	if c.born, err = suitable(c.fd); err != nil {
		return err
	}
	domain, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return err
	}
	local, err := localOf(c.fd)
	if err != nil {
		return fmt.Errorf("local address: %w", err)
	}
	remote, err := peerOf(c.fd)
	if err != nil {
		return fmt.Errorf("peer's address: %w", err)
	}
	c.img.IPv6Socket = domain == unix.AF_INET6
	c.img.Local, c.img.Remote = local, remote
	c.img.Interface = interfaceOf(local.Addr().Zone())
	c.img.Meta, c.img.App = c.opt.Meta, c.opt.App
	c.img.Options = readOptions(c.fd, domain)
	c.tuple = netfilter.Tuple{Local: local, Remote: remote}
	if err := c.tuple.Valid(); err != nil {
		return err
	}
	if c.place, err = c.m.placeOf(c.fd); err != nil {
		return err
	}
	c.p = Progress{ID: c.img.ID, Generation: c.img.Generation, Local: local, Remote: remote, FD: c.fd}
	if err := c.step(StepBefore); err != nil {
		return err
	}
	return c.keep()
}

// keep hands a duplicate of the socket to the keeper, before anything is done to it.
func (c *checkpoint) keep() error {
	if c.m.Keeper == nil {
		return nil
	}
	c.watched = true
	w := c.place.watched(c.img.ID.String(), c.tuple, !c.opt.Drop)
	w.File = c.opt.File
	return c.m.Keeper.watch(c.fd, w)
}

// step tells the observer, who may refuse to go on.
func (c *checkpoint) step(s Step) error {
	c.p.Step, c.p.At = s, s
	if c.opt.Observe == nil {
		return nil
	}
	if !c.since.IsZero() {
		c.p.Blackout = time.Since(c.since)
		c.p.Held = c.place.locks.Held(c.tuple)
	}
	if err := c.opt.Observe(&c.p); err != nil {
		return fmt.Errorf("%v: %w", s, err)
	}
	return nil
}

func (c *checkpoint) failed(err error) {
	c.p.Step, c.p.Err = StepFailed, err
	if c.opt.Observe != nil {
		_ = c.opt.Observe(&c.p)
	}
}

func (c *checkpoint) unwatch() {
	if c.watched {
		c.watched = false
		c.m.Keeper.forget(c.img.ID.String())
	}
}

// take blocks, pauses, reads and hands over.
func (c *checkpoint) take() (t *Taken, err error) {
	b, err := c.place.block(c.tuple, c.opt.Drop)
	if err != nil {
		return nil, err
	}
	c.since = b.since
	if err := c.step(StepLocked); err != nil {
		return nil, err
	}
	h := &Handle{mover: c.m, fd: c.fd, born: c.born, local: c.tuple.Local, remote: c.tuple.Remote}
	if err := h.enter(); err != nil {
		return nil, err
	}
	c.h = h
	if err := c.step(StepPaused); err != nil {
		return nil, err
	}
	if err := c.read(); err != nil {
		return nil, err
	}
	t = &Taken{Image: c.img, mover: c.m}
	if err := c.step(StepDumped); err != nil {
		return t, err
	}
	if c.opt.File != "" {
		if err := image.WritePending(c.opt.File, c.img, c.opt.Durable); err != nil {
			return t, err
		}
		c.pending = true
	}
	if c.opt.Sink != nil {
		if err := c.opt.Sink(c.img); err != nil {
			return t, fmt.Errorf("keep image: %w", err)
		}
	}
	return t, c.step(StepImageWritten)
}

func (c *checkpoint) read() error {
	var b [DataSize]byte
	if _, err := c.h.Data(b[:]); err != nil {
		return err
	}
	c.img.State, c.img.Stream, c.img.Created = uint8(c.h.data.State), c.h.data.stream(), time.Now()
	var err error
	if c.img.Recv, err = c.h.QueueBytes(RecvQueue, true); err != nil {
		return err
	}
	if c.img.Send, err = c.h.QueueBytes(SendQueue, true); err != nil {
		return err
	}
	c.img.Options = append(c.img.Options, numbered(optReuseAddr, uint32(c.h.saved.reuse)))
	c.p.Data, c.p.Image = &c.h.data, c.img
	return nil
}

// commit ends the connection, unless its block has run out meanwhile: then packets
// may have passed, and the image is not what the connection is.
func (c *checkpoint) commit() error {
	if err := c.step(StepClosing); err != nil {
		return err
	}
	if err := c.place.renew(c.tuple); err != nil {
		return err
	}
	if err := c.h.Disconnect(); err != nil {
		return err
	}
	c.h = nil
	if c.pending {
		c.pending = false
		if err := image.Confirm(c.opt.File); err != nil && c.m.Log != nil {
			c.m.Log.Error("image is complete and has its pending name", "file", c.opt.File, "err", err)
		}
	}
	c.unwatch()
	if !c.opt.KeepOpen {
		_ = unix.Close(c.fd)
	}
	c.p.Step, c.p.At = StepClosed, StepClosed
	if c.opt.Observe != nil {
		c.p.Blackout = time.Since(c.since)
		_ = c.opt.Observe(&c.p)
	}
	return nil
}

// back lets the connection go on where it is.
func (c *checkpoint) back() error {
	defer c.unwatch()
	if c.since.IsZero() {
		return nil
	}
	var err error
	if c.pending {
		// A copy of what lives on is confirmed: it is what was asked for.
		if c.pending = false; c.opt.Leave && c.p.Step != StepFailed {
			err = image.Confirm(c.opt.File)
		} else {
			err = image.Discard(c.opt.File)
		}
	}
	err = errors.Join(err, c.place.release(c.tuple))
	if c.h != nil {
		err = errors.Join(err, c.h.Resume())
	}
	c.p.Step, c.p.At, c.p.Err, c.p.Blackout = StepResumed, StepResumed, nil, time.Since(c.since)
	if c.opt.Observe != nil {
		_ = c.opt.Observe(&c.p)
	}
	if err != nil {
		return fmt.Errorf("sock: resume in place: %w", err)
	}
	return nil
}
