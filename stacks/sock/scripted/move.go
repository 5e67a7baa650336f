package scripted

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sockev"
	"github.com/hookd/hookd/stacks/sock"
	"github.com/hookd/hookd/stacks/sock/survey"
)

// errAborted is what a rule's veto is called.
var errAborted = errors.New("a rule said sock.abort")

// passage is one move, seen by handlers. It has the shard from before the blackout
// until the connection is closed or goes on.
type passage struct {
	c       *Conn
	entered bool
	spent   time.Duration // by handlers in the blackout
}

// enter takes the shard.
func (p *passage) enter() {
	if !p.entered {
		p.c.sh.Enter()
		p.entered = true
	}
}

func (p *passage) leave() {
	if p.entered {
		p.entered = false
		p.c.sh.Leave()
	}
}

// observe raises the hook points of a move.
func (p *passage) observe(k *sock.Progress) error {
	p.enter()
	c := p.c
	if k.Step == sock.StepFailed {
		c.failed(k)
		return nil
	}
	if k.Data != nil {
		c.state, c.recv, c.send = stateOf(uint8(k.Data.State)), int64(k.Data.InqLen), int64(k.Data.OutqLen)
	}
	took, held := k.Blackout, uint32(k.Held)
	abort := p.within(k.Step, func() bool { return c.step(k.Step, took, held) })
	if k.Step == sock.StepDumped && !abort {
		abort = p.within(k.Step, func() bool { return c.queues(took, held) })
	}
	switch k.Step {
	case sock.StepClosed, sock.StepResumed, sock.StepUp:
		p.leave()
	}
	if abort {
		return errAborted
	}
	return nil
}

// within keeps handlers of the blackout to their budget.
func (p *passage) within(s sock.Step, handlers func() bool) bool {
	if !s.InBlackout() {
		return handlers()
	}
	stack := p.c.stack
	if p.spent >= stack.budget {
		stack.unraised.Add(1)
		return false
	}
	start := time.Now()
	abort := handlers()
	if p.spent += time.Since(start); p.spent >= stack.budget {
		stack.overruns.Add(1)
		stack.log.Warn("handlers took too long in a blackout: no more hook points are raised in it", "conn", p.c.id, "at", s, "took", p.spent)
	}
	return abort
}

// background runs a move beside the shard and tells its end in it.
func (c *Conn) background(what string, done func(error), run func(*passage) error) {
	if err := c.free(what); err != nil {
		done(err)
		return
	}
	if c.handle != nil {
		done(fmt.Errorf("%s: %s is paused: resume it before", what, c.Label()))
		return
	}
	c.moving = true
	c.stack.work.Go(func() {
		p := &passage{c: c}
		err := run(p)
		p.enter()
		c.moving = false
		if err == nil {
			c.stack.moved.Add(1)
			c.ended = true
			c.slots.End()
		} else {
			c.stack.counts.failed.Add(1)
		}
		done(err)
		p.leave()
	})
}

// choose raises select.
func (p *passage) choose() error {
	p.enter()
	defer p.leave()
	if raise(p.c, sockev.OnSelect, &sockev.Select{S: p.c}) {
		return errAborted
	}
	return nil
}

// Checkpoint implements [sockev.Conn].
func (c *Conn) Checkpoint(_ *event.Caller, file string, drain time.Duration, _ bool, done func(error)) {
	c.background("checkpoint", done, func(p *passage) error {
		if err := p.choose(); err != nil {
			return err
		}
		p.drain(drain)
		return p.with(func(s *sock.Stolen) error {
			taken, err := c.stack.mover.Checkpoint(s.FD, sock.CheckpointOptions{File: file, Observe: p.observe})
			if err == nil {
				taken.Free()
				s.Closed()
			}
			return err
		})
	})
}

// with stops the process for as long as its socket is worked on.
func (p *passage) with(work func(*sock.Stolen) error) error {
	s, err := p.c.stack.steal(p.c.pid, p.c.fd)
	if err != nil {
		return err
	}
	err = work(s)
	p.leave()
	return errors.Join(err, s.Close())
}

// drainLook is how often queues are looked at that are to become empty.
const drainLook = 20 * time.Millisecond

// drain waits for empty queues, at most a time.
func (p *passage) drain(within time.Duration) {
	c := p.c
	for until := time.Now().Add(within); time.Now().Before(until); {
		k, err := survey.Find("", c.local, c.remote, false)
		if err != nil || k.Recv == 0 && k.Send == 0 {
			return
		}
		p.enter()
		c.recv, c.send = int64(k.Recv), int64(k.Send)
		stop := raise(c, sockev.OnDrain, &sockev.Drain{S: c})
		p.leave()
		if stop {
			return
		}
		select {
		case <-c.stack.down:
			return
		case <-time.After(drainLook):
		}
	}
}

// Move implements [sockev.Conn].
func (c *Conn) Move(_ *event.Caller, target string, done func(error)) {
	c.background("move", done, func(p *passage) error {
		if err := p.choose(); err != nil {
			return err
		}
		to, err := net.DialTimeout(sock.NetworkOf(target), target, sock.DefaultLease)
		if err != nil {
			return err
		}
		defer to.Close()
		return p.with(func(s *sock.Stolen) error {
			_, err := c.stack.mover.HandOff(to, s.FD, sock.CheckpointOptions{Observe: p.observe})
			if err == nil || errors.Is(err, sock.ErrUncertain) {
				s.Closed()
			}
			return err
		})
	})
}
