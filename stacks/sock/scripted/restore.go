package scripted

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sockev"
	"github.com/hookd/hookd/stacks/sock"
	"github.com/hookd/hookd/stacks/sock/image"
	"github.com/hookd/hookd/stacks/sock/survey"
)

// settleFor is how long the peer of a restored connection has to show that it is there.
const settleFor = 2 * time.Second

// Restore implements [sockev.Functions].
func (s *Stack) Restore(by *event.Caller, file, serve string, done func(sockev.Conn, error)) {
	if !s.started.Load() {
		done(nil, fmt.Errorf("sock.restore: %w", errIdle))
		return
	}
	sh := by.Shard
	s.work.Go(func() {
		c, err := s.restore(sh, file, serve)
		sh.Enter()
		defer sh.Leave()
		if err != nil {
			s.counts.failed.Add(1)
			done(nil, err)
			return
		}
		s.restored.Add(1)
		done(c, nil)
	})
}

func (s *Stack) restore(sh *event.Shard, file, serve string) (*Conn, error) {
	l, err := s.listen(serve)
	if err != nil {
		return nil, fmt.Errorf("sock.restore: %w", err)
	}
	claimed, err := image.Claim(file)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	p := &passage{c: s.revived(sh, claimed.Image)}
	r, err := s.mover.Restore(claimed.Image, sock.RestoreOptions{Adopt: true, Quick: true, Observe: p.observe})
	p.leave()
	if err != nil {
		return nil, errors.Join(err, claimed.Release(), l.Close())
	}
	if err := claimed.Done(); err != nil {
		s.log.Warn("image is used and has not its name for that", "file", file, "err", err)
	}
	p.enter()
	p.c.fd = r.FD
	p.leave()
	s.work.Go(func() { s.settle(p, r, l) })
	return p.c, nil
}

// revived returns the object of a connection that is about to be restored.
func (s *Stack) revived(sh *event.Shard, m *image.Image) *Conn {
	sh.Enter()
	defer sh.Leave()
	return s.conn(sh, &survey.Socket{
		State: m.State, Local: m.Local, Remote: m.Remote, Owners: []survey.Owner{{PID: os.Getpid(), Name: "hookd"}},
	})
}

// settle tells the peer's first signs and hands the socket over.
func (s *Stack) settle(p *passage, r *sock.Restored, l net.Listener) {
	given := make(chan struct{})
	s.work.Go(func() {
		defer close(given)
		s.give(r, l)
	})
	start := time.Now()
	tell := func(emit func(after time.Duration)) {
		p.enter()
		emit(time.Since(start))
		p.leave()
	}
	if _, err := r.Settle(settleFor); err != nil {
		tell(func(after time.Duration) { raise(p.c, sockev.OnStalled, &sockev.Stalled{S: p.c, After: after}) })
	} else {
		tell(func(after time.Duration) { raise(p.c, sockev.OnFirstAck, &sockev.FirstAck{S: p.c, After: after}) })
	}
	for {
		// The first bytes may well come when a program has it: its socket is watched through
		// this descriptor until then.
		if came, err := r.FirstData(); err != nil || came {
			if came {
				tell(func(after time.Duration) { raise(p.c, sockev.OnFirstData, &sockev.FirstData{S: p.c, After: after}) })
			}
			break
		}
		select {
		case <-given:
		case <-time.After(drainLook):
			continue
		}
		break
	}
	<-given
	f := os.NewFile(uintptr(r.FD), "restored connection")
	_ = f.Close()
	p.enter()
	p.c.ended = true
	p.c.slots.End()
	p.leave()
}

// give hands the descriptor to the first that asks for it, or, when the stack closes,
// to nobody.
func (s *Stack) give(r *sock.Restored, l net.Listener) {
	accepted := make(chan struct{})
	s.work.Go(func() {
		select {
		case <-s.down:
		case <-accepted:
		}
		_ = l.Close()
	})
	defer close(accepted)
	conn, err := l.Accept()
	if err != nil {
		return
	}
	defer conn.Close()
	if err := r.Pass(conn.(*net.UnixConn)); err != nil {
		s.log.Warn("descriptor of a restored connection was not handed over", "err", err)
	}
}
