package scripted

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sockev"
	"github.com/hookd/hookd/stacks/netfilter"
	"github.com/hookd/hookd/stacks/sock"
)

// Conn is a connection as scripts have it. It belongs to its shard.
type Conn struct {
	stack         *Stack
	sh            *event.Shard
	id            uint64
	local, remote netip.AddrPort
	state         sockev.State
	recv, send    int64
	pid, fd       int
	owner         string
	ended         bool
	moving        bool
	slots         event.Slots

	stolen *sock.Stolen
	handle *sock.Handle // while it is paused
	tuple  netfilter.Tuple
	data   sock.Data
	expiry *time.Timer
}

var _ sockev.Conn = (*Conn)(nil)

// ID implements [event.Kept].
func (c *Conn) ID() uint64 { return c.id }

// Label implements [event.Kept].
func (c *Conn) Label() string { return fmt.Sprintf("connection %d", c.id) }

// Ended implements [event.Kept].
func (c *Conn) Ended() bool { return c.ended }

// Slots implements [event.Kept].
func (c *Conn) Slots() *event.Slots { return &c.slots }

// Address implements [sockev.Conn].
func (c *Conn) Address() netip.AddrPort { return c.local }

// Peer implements [sockev.Conn].
func (c *Conn) Peer() netip.AddrPort { return c.remote }

// State implements [sockev.Conn].
func (c *Conn) State() sockev.State { return c.state }

// Recv implements [sockev.Conn].
func (c *Conn) Recv() int64 { return c.recv }

// Send implements [sockev.Conn].
func (c *Conn) Send() int64 { return c.send }

// PID implements [sockev.Conn].
func (c *Conn) PID() uint32 { return uint32(c.pid) }

// FD implements [sockev.Conn].
func (c *Conn) FD() uint32 { return uint32(c.fd) }

// Owner implements [sockev.Conn].
func (c *Conn) Owner() string { return c.owner }

// Paused implements [sockev.Conn].
func (c *Conn) Paused() bool { return c.handle != nil }

// free returns an error unless the connection can be worked on.
func (c *Conn) free(what string) error {
	switch {
	case !c.stack.started.Load():
		return fmt.Errorf("%s: %w", what, errIdle)
	case c.ended:
		return fmt.Errorf("%s: %s ended", what, c.Label())
	case c.moving:
		return fmt.Errorf("%s: %s is being moved", what, c.Label())
	}
	return nil
}

// Pause implements [sockev.Conn].
func (c *Conn) Pause(*event.Caller) error {
	if err := c.free("pause"); err != nil {
		return err
	}
	if c.handle != nil {
		return fmt.Errorf("pause: %w", sock.ErrPaused)
	}
	if err := c.pause(); err != nil {
		c.letGo()
		return err
	}
	c.expiry = time.AfterFunc(sock.DefaultLease, c.expired)
	c.later(func() {
		c.step(sock.StepPaused, 0, 0)
		c.step(sock.StepDumped, 0, 0)
	})
	return nil
}

func (c *Conn) pause() (err error) {
	if c.stolen, err = c.stack.steal(c.pid, c.fd); err != nil {
		return err
	}
	if c.tuple, err = c.stack.mover.Block(c.stolen.FD); err != nil {
		return err
	}
	if c.handle, err = c.stack.mover.Pause(c.stolen.FD); err != nil {
		return err
	}
	var b [sock.DataSize]byte
	if _, err = c.handle.Data(b[:]); err != nil {
		return err
	}
	if c.data, err = sock.DecodeData(b[:]); err != nil {
		return err
	}
	c.state, c.recv, c.send = stateOf(uint8(c.data.State)), int64(c.data.InqLen), int64(c.data.OutqLen)
	return nil
}

// expired lets a connection go on that a script paused and forgot.
func (c *Conn) expired() {
	c.sh.Enter()
	defer c.sh.Leave()
	if c.handle == nil {
		return
	}
	c.letGo()
	raise(c, sockev.OnLeaseExpired, &sockev.LeaseExpired{S: c})
	c.step(sock.StepResumed, 0, 0)
}

// letGo resumes what is paused and lets its process go on.
func (c *Conn) letGo() {
	if c.expiry != nil {
		c.expiry.Stop()
		c.expiry = nil
	}
	var err error
	blocked := c.tuple.Local.IsValid()
	if blocked {
		err = c.stack.mover.Unlock(c.tuple)
	}
	if c.handle != nil {
		err = errors.Join(err, c.handle.Resume())
		c.handle = nil
	}
	if blocked {
		c.stack.mover.Forget(c.tuple)
		c.tuple = netfilter.Tuple{}
	}
	if c.stolen != nil {
		err = errors.Join(err, c.stolen.Close())
		c.stolen = nil
	}
	if err != nil {
		c.stack.log.Warn("connection goes on", "conn", c.id, "err", err)
	}
}

// Data implements [sockev.Conn].
func (c *Conn) Data() any {
	if c.handle == nil {
		return nil
	}
	d := &c.data
	kv := []event.KV{{Key: "state", Value: c.state.String()}}
	for _, f := range []struct {
		name string
		v    uint32
		has  bool
	}{
		{"inq_len", d.InqLen, true},
		{"inq_seq", d.InqSeq, true},
		{"outq_len", d.OutqLen, true},
		{"outq_seq", d.OutqSeq, true},
		{"unsq_len", d.UnsqLen, true},
		{"opt_mask", d.OptMask, true},
		{"mss_clamp", d.MSSClamp, true},
		{"snd_wscale", d.SndWscale, true},
		{"rcv_wscale", d.RcvWscale, true},
		{"timestamp", d.Timestamp, true},
		{"flags", d.Flags, true},
		{"snd_wl1", d.SndWl1, d.Flags&sock.FlagWindow != 0},
		{"snd_wnd", d.SndWnd, d.Flags&sock.FlagWindow != 0},
		{"max_window", d.MaxWindow, d.Flags&sock.FlagWindow != 0},
		{"rcv_wnd", d.RcvWnd, d.Flags&sock.FlagWindow != 0},
		{"rcv_wup", d.RcvWup, d.Flags&sock.FlagWindow != 0},
	} {
		if f.has {
			kv = append(kv, event.KV{Key: f.name, Value: float64(f.v)})
		}
	}
	return kv
}

// Queue implements [sockev.Conn].
func (c *Conn) Queue(side sockev.Side) ([]byte, bool) {
	if c.handle == nil {
		return nil, false
	}
	q := sock.RecvQueue
	if side == sockev.SideSend {
		q = sock.SendQueue
	}
	b, err := c.handle.QueueBytes(q, false)
	return b, err == nil
}

// Resume implements [sockev.Conn].
func (c *Conn) Resume(*event.Caller) error {
	if c.handle == nil {
		return fmt.Errorf("resume: %s is not paused", c.Label())
	}
	c.letGo()
	c.later(func() { c.step(sock.StepResumed, 0, 0) })
	return nil
}

// Close implements [sockev.Conn].
func (c *Conn) Close(*event.Caller) error {
	if c.handle == nil {
		return fmt.Errorf("close: %s is not paused", c.Label())
	}
	err := c.handle.Disconnect()
	if err == nil {
		c.handle, c.ended = nil, true
	}
	c.letGo()
	if err == nil {
		c.later(func() {
			c.step(sock.StepClosed, 0, 0)
			c.slots.End()
		})
	}
	return err
}

// later runs when the handler has returned.
func (c *Conn) later(run func()) {
	if !c.sh.Post(run) {
		c.stack.log.Warn("too many posts wait: hook points of a connection are not raised", "conn", c.id)
	}
}
