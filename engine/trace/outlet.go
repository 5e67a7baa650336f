package trace

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
)

// OutletBytes is how much may wait in an Outlet that is made with 0.
const OutletBytes = 8 << 20

// ErrClosedOutlet is returned by writes to an Outlet that was closed.
var ErrClosedOutlet = errors.New("trace: outlet is closed")

// Outlet writes lines to a file, a pipe or a terminal without letting who writes
// them wait: one goroutine of its own does. What finds no room is dropped in whole
// lines and counted. Its methods may be called from any goroutine.
type Outlet struct {
	open func() (io.WriteCloser, error)
	max  int
	done chan struct{}

	mu      sync.Mutex
	changed sync.Cond // something waits, room was made, or the outlet closes
	buf     []byte
	spare   []byte
	file    io.WriteCloser
	next    io.WriteCloser // to be written to from now on
	closed  bool
	cut     bool // the rest of a line is to be dropped
	dropped uint64
	err     error // of the first write that went wrong
}

// NewOutlet returns an outlet that writes to what open returns; at most limit
// bytes wait. It must be closed.
func NewOutlet(open func() (io.WriteCloser, error), limit int) (*Outlet, error) {
	if limit == 0 {
		limit = OutletBytes
	}
	file, err := open()
	if err != nil {
		return nil, fmt.Errorf("trace: open outlet: %w", err)
	}
	o := &Outlet{open: open, max: limit, done: make(chan struct{}), file: file}
	o.changed.L = &o.mu
	go o.run()
	return o, nil
}

// Write queues a copy of p, which may begin and end within a line. The error is
// that of an earlier write.
func (o *Outlet) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.err != nil:
		return 0, o.err
	case o.closed:
		return 0, ErrClosedOutlet
	}
	rest := o.skip(p)
	if len(o.buf)+len(rest) > o.max {
		rest = o.drop(rest)
	}
	o.buf = append(o.buf, rest...)
	o.changed.Broadcast()
	return len(p), nil
}

// skip takes off the end of a line whose beginning was dropped.
func (o *Outlet) skip(p []byte) []byte {
	if !o.cut {
		return p
	}
	end := bytes.IndexByte(p, '\n')
	if end < 0 {
		return nil
	}
	o.cut = false
	return p[end+1:]
}

// drop returns what of p has to be kept where there is no room: the end of a line
// that was begun.
func (o *Outlet) drop(p []byte) []byte {
	keep := 0
	if n := len(o.buf); n > 0 && o.buf[n-1] != '\n' {
		keep = bytes.IndexByte(p, '\n') + 1
		if keep == 0 {
			return p
		}
	}
	o.dropped += uint64(bytes.Count(p[keep:], []byte{'\n'}))
	if len(p) > keep && p[len(p)-1] != '\n' {
		o.cut = true
		o.dropped++
	}
	return p[:keep]
}

// run writes what waits until the outlet is closed.
func (o *Outlet) run() {
	defer close(o.done)
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		for o.lines() == 0 && o.next == nil && !o.closed {
			o.changed.Wait()
		}
		if len(o.buf) == 0 && o.next == nil {
			return
		}
		batch, file, next := o.buf, o.file, o.next
		if !o.closed {
			batch = batch[:o.lines()] // only whole lines, so that a file has no part of one
		}
		if next != nil {
			o.file, o.next = next, nil
		}
		o.buf = append(o.spare[:0], o.buf[len(batch):]...)
		o.mu.Unlock()
		var err error
		if len(batch) > 0 {
			_, err = file.Write(batch)
		}
		if next != nil {
			err = errors.Join(err, file.Close())
		}
		o.mu.Lock()
		o.spare = batch[:0]
		if err != nil && o.err == nil {
			o.err, o.buf = err, nil
		}
		o.changed.Broadcast()
	}
}

// lines returns how many bytes of what waits are whole lines.
func (o *Outlet) lines() int { return bytes.LastIndexByte(o.buf, '\n') + 1 }

// Reopen opens the file anew and writes there from now on, whole lines: what a
// rotation of logs asks for. On an error the old one stays.
func (o *Outlet) Reopen() error {
	file, err := o.open()
	if err != nil {
		return fmt.Errorf("trace: open outlet: %w", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.next != nil && !o.closed {
		o.changed.Wait()
	}
	if o.closed {
		return errors.Join(ErrClosedOutlet, file.Close())
	}
	o.next = file
	o.changed.Broadcast()
	return nil
}

// Room waits until at most half of what may wait does: for who reads from where
// waiting costs nothing. The caller has entered no shard.
func (o *Outlet) Room() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.buf) > o.max/2 && o.err == nil && !o.closed {
		o.changed.Wait()
	}
}

// Dropped returns how many lines found no room.
func (o *Outlet) Dropped() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.dropped
}

// Err returns the error of the first write that went wrong; nothing is written
// after it.
func (o *Outlet) Err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// Close writes what waits, closes the file, and returns the first error.
func (o *Outlet) Close() error {
	o.mu.Lock()
	was := o.closed
	o.closed = true
	o.changed.Broadcast()
	o.mu.Unlock()
	<-o.done
	if was {
		return o.Err()
	}
	return errors.Join(o.Err(), o.file.Close())
}
