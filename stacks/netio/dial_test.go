package netio

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// counting is a context that knows how many children hang on it.
type counting struct {
	context.Context
	children atomic.Int64
}

// Value hides what package context would add children to without asking.
func (c *counting) Value(any) any { return nil }

func (c *counting) AfterFunc(f func()) func() bool {
	c.children.Add(1)
	stop := context.AfterFunc(c.Context, f)
	gone := sync.OnceFunc(func() { c.children.Add(-1) })
	return func() bool {
		gone()
		return stop()
	}
}

// TestDialContexts wants nothing of a dial by name left with the loop once it is
// decided, with a time to connect and without.
func TestDialContexts(t *testing.T) {
	lookup := func(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("no such name") }
	r := newRig(t, false, func(c *Config) { c.Lookup = lookup })
	var all *counting
	r.do(func() {
		all = &counting{Context: r.l.ctx}
		r.l.ctx = all
	})
	for _, wait := range []time.Duration{time.Minute, -1} {
		closed := make(chan struct{})
		r.do(func() {
			h := &hooks{closed: func(*Conn, Reason) { close(closed) }}
			if _, err := r.l.Dial(DialConfig{Network: "tcp", Address: "none.test:80", Options: Options{Connect: wait}}, h); err != nil {
				t.Fatal(err)
			}
		})
		select {
		case <-closed:
		case <-time.After(time.Minute):
			t.Fatal("the dial was not decided")
		}
		within(t, time.Minute, func() bool { return all.children.Load() == 0 }, "contexts of a dial with %v to connect are gone", wait)
	}
}
