package loop

import (
	"errors"
	"fmt"

	"github.com/hookd/hookd/engine/event"
)

// reader is a script that waits for bytes.
type reader struct {
	n    int // so many; 0: whatever comes, or a line
	line bool
	most int // length of a line
	done func([]byte, error)
}

// writer is a script that waits until all is written.
type writer struct{ done func(error) }

var (
	errEOF     = errors.New("eof")
	errReading = errors.New("loop: another script reads the connection already")
)

// maxLine is how long a line may be by default.
const maxLine = 64 << 10

// Read waits for n bytes, or for any.
func (c *Conn) Read(by *event.Caller, n uint32, hasN bool, done func([]byte, error)) {
	r := &reader{done: done}
	if hasN {
		if limit := c.recvLimit(); int64(n) > int64(limit) {
			done(nil, fmt.Errorf("loop: read: %d bytes never wait at once: limits.recv is %d", n, limit))
			return
		}
		if r.n = int(n); n == 0 {
			done(nil, nil)
			return
		}
	}
	c.await(by, r)
}

// ReadLine waits for a line.
func (c *Conn) ReadLine(by *event.Caller, most uint32, hasMost bool, done func(string, error)) {
	r := &reader{line: true, most: min(maxLine, c.recvLimit()), done: func(b []byte, err error) { done(string(b), err) }}
	if hasMost {
		r.most = min(int(most), c.recvLimit())
	}
	c.await(by, r)
}

// await gives a reader what is there, or has it wait.
func (c *Conn) await(by *event.Caller, r *reader) {
	if err := c.stream(); err != nil {
		r.done(nil, err)
		return
	}
	if c.reader != nil {
		r.done(nil, errReading)
		return
	}
	if c.satisfy(r) {
		return
	}
	if c.atEOF {
		r.done(nil, errEOF)
		return
	}
	c.reader = r
	if c.flags&isHeld != 0 && !c.up {
		c.release() // a handler of accept that reads wants bytes
	}
	by.Waiter.OnCancel(func() {
		if c.reader == r {
			c.reader = nil
		}
	})
}

// satisfy gives a reader what it waits for, if that is there.
func (c *Conn) satisfy(r *reader) bool {
	if c.unread() == 0 && len(c.grams) > 0 {
		c.gram, c.grams = c.grams[0], c.grams[1:]
	}
	b := c.Bytes()
	n := len(b)
	switch {
	case r.line:
		line, whole := cutLine(b)
		if whole == 0 && n < r.most || n == 0 {
			return false
		}
		if whole == 0 || len(line) > r.most {
			r.done(nil, fmt.Errorf("loop: the line is longer than %d bytes", r.most))
			return true
		}
		b, n = line, whole
	case n == 0 || n < r.n:
		return false
	case r.n > 0:
		b, n = b[:r.n], r.n
	}
	b = append([]byte(nil), b...)
	c.Skip(n)
	r.done(b, nil)
	return true
}

// feedReader gives who waits for bytes those that are there. A script that goes on
// may wait again, and is fed again.
func (c *Conn) feedReader() {
	for r := c.reader; r != nil; r = c.reader {
		c.reader = nil
		if !c.satisfy(r) {
			c.reader = r
			return
		}
	}
}

// endReader tells who waits for bytes that none will come.
func (c *Conn) endReader(why error) {
	r := c.reader
	c.reader = nil
	r.done(nil, why)
}

// Write queues bytes and waits until everything that is queued is written.
func (c *Conn) Write(by *event.Caller, b []byte, done func(error)) {
	err := c.Write1(b)
	if err != nil || c.c.Queued() == 0 {
		done(err)
		return
	}
	w := &writer{done}
	c.writer = append(c.writer, w)
	by.Waiter.OnCancel(func() { w.done = func(error) {} })
}

// endWriters lets those go on that waited for the queue.
func (c *Conn) endWriters(err error) {
	list := c.writer
	c.writer = nil
	for _, w := range list {
		w.done(err)
	}
}
