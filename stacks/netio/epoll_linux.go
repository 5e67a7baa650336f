package netio

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// epoll is the backend on Linux, with an eventfd to be woken by. It is level-triggered but
// for TCP connections that are read: those the kernel would look at once more in the
// next wait, to find nothing.
// The kernel hands back the slot's ID, never the descriptor, which could be
// another's by then.
type epoll struct {
	fd, wakefd int
	woken      atomic.Bool
	mu         sync.Mutex // guards closed, so that none wakes by a descriptor that is another's
	closed     bool
	events     [256]unix.EpollEvent
}

func newEpoll() (*epoll, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	p := &epoll{fd: fd, wakefd: wake}
	if err := p.control(unix.EPOLL_CTL_ADD, wake, 0, unix.EPOLLIN); err != nil {
		_ = p.close()
		return nil, fmt.Errorf("epoll_ctl: %w", err)
	}
	return p, nil
}

func (p *epoll) control(op, fd int, id ID, events uint32) error {
	ev := unix.EpollEvent{Events: events, Fd: int32(uint32(id)), Pad: int32(uint32(id >> 32))}
	return unix.EpollCtl(p.fd, op, fd, &ev)
}

func (p *epoll) wait(out []ready, timeout time.Duration) (m int, woken bool, err error) {
	ms := -1
	if timeout >= 0 {
		// Rounded up: a timer that is looked at too early would be looked at again and again.
		ms = int(min((timeout+time.Millisecond-1)/time.Millisecond, 1<<31-1))
	}
	n, err := unix.EpollWait(p.fd, p.events[:min(len(out), len(p.events))], ms)
	if err != nil {
		if err == unix.EINTR {
			return 0, false, nil
		}
		return 0, false, err
	}
	for i := range n {
		ev := &p.events[i]
		id := ID(uint32(ev.Fd)) | ID(uint32(ev.Pad))<<32
		if id == 0 {
			var b [8]byte
			_, _ = unix.Read(p.wakefd, b[:])
			p.woken.Store(false)
			woken = true
			continue
		}
		out[m] = ready{id: id, what: readinessOf(ev.Events)}
		m++
	}
	return m, woken, nil
}

func readinessOf(events uint32) (what readiness) {
	if events&unix.EPOLLIN != 0 {
		what |= readable
	}
	if events&unix.EPOLLOUT != 0 {
		what |= writable
	}
	if events&unix.EPOLLRDHUP != 0 {
		what |= gone
	}
	if events&unix.EPOLLHUP != 0 {
		what |= hung
	}
	if events&unix.EPOLLERR != 0 {
		what |= broken
	}
	if events&unix.EPOLLPRI != 0 {
		what |= urgent
	}
	return what
}

func (p *epoll) wake() {
	if p.woken.Swap(true) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	var b [8]byte
	binary.NativeEndian.PutUint64(b[:], 1)
	// The counter is read at each wait and cannot be full.
	_, _ = unix.Write(p.wakefd, b[:])
}

func (p *epoll) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	_ = unix.Close(p.wakefd)
	return unix.Close(p.fd)
}

// polled is a descriptor that an epoll watches.
type polled struct {
	p    *epoll
	fd   int
	id   ID
	on   bool
	edge bool // edges can be had
	want interest
	mode uint32 // EPOLLEXCLUSIVE or nothing
}

func (s *polled) attach(id ID) {
	s.id = id
	// A socket that changes its owner is told under the new name from its next watch on.
	s.want = 0
	if s.on {
		s.on = false
		_ = s.p.control(unix.EPOLL_CTL_DEL, s.fd, 0, 0)
	}
}

func (s *polled) watch(want interest) error {
	if want == s.want {
		return nil
	}
	s.want = want
	if want == 0 || s.mode != 0 {
		if s.on {
			s.on = false
			if err := s.p.control(unix.EPOLL_CTL_DEL, s.fd, 0, 0); err != nil {
				return err
			}
		}
		if want == 0 {
			return nil
		}
	}
	events := s.mode
	if want&readable != 0 {
		events |= unix.EPOLLIN
	}
	if want&writable != 0 {
		events |= unix.EPOLLOUT
	}
	if want&gone != 0 {
		events |= unix.EPOLLRDHUP
	}
	if s.edge && want&edges != 0 {
		events |= unix.EPOLLET | unix.EPOLLPRI
	}
	op := unix.EPOLL_CTL_MOD
	if !s.on {
		op, s.on = unix.EPOLL_CTL_ADD, true
	}
	return s.p.control(op, s.fd, s.id, events)
}
