package sock

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Stolen is a duplicate of a descriptor in another process, which stands still
// meanwhile.
type Stolen struct {
	FD    int
	mover *Mover
	pid   int
	pidfd int
	still *stop // of the process, with which it counts
}

// Steal stops a process and duplicates one of its descriptors. It needs what ptrace of
// the process needs. What it does with a socket whose connection is taken away is the
// program's affair: it finds it aborted. The process goes on when all that was stolen of
// it is closed, or when this process is killed and has a keeper.
func (m *Mover) Steal(pid, fd int) (*Stolen, error) {
	s := &Stolen{FD: -1, mover: m, pid: pid, pidfd: -1}
	if err := s.steal(fd); err != nil {
		return nil, errors.Join(fmt.Errorf("sock: take descriptor %d of process %d: %w", fd, pid, err), s.Close())
	}
	return s, nil
}

func (s *Stolen) steal(fd int) (err error) {
	if s.pidfd, err = unix.PidfdOpen(s.pid, 0); err != nil {
		return fmt.Errorf("pidfd_open: %w", err)
	}
	// First, so that a lack of rights is found before the process is stopped.
	probe, err := unix.PidfdGetfd(s.pidfd, fd, 0)
	if err != nil {
		return fmt.Errorf("pidfd_getfd: %w", err)
	}
	_, err = suitable(probe)
	_ = unix.Close(probe)
	if err != nil {
		return err
	}
	if s.pid != os.Getpid() {
		still, err := s.mover.stops.hold(s.pid, s.mover.Keeper)
		if err != nil {
			return err
		}
		s.still = still
	}
	if s.FD, err = unix.PidfdGetfd(s.pidfd, fd, 0); err != nil {
		return fmt.Errorf("pidfd_getfd: %w", err)
	}
	return nil
}

// Kill kills the process.
func (s *Stolen) Kill() error {
	if err := unix.PidfdSendSignal(s.pidfd, unix.SIGKILL, nil, 0); err != nil {
		return fmt.Errorf("sock: kill process %d: %w", s.pid, err)
	}
	return nil
}

// Closed says that the duplicate was closed, as a checkpoint does.
func (s *Stolen) Closed() { s.FD = -1 }

// Close closes the duplicate and lets the process go on.
func (s *Stolen) Close() error {
	var all error
	if s.FD >= 0 {
		all = unix.Close(s.FD)
		s.FD = -1
	}
	if p := s.still; p != nil {
		s.still = nil
		all = errors.Join(all, s.mover.stops.let(p, s.mover.Keeper))
	}
	if s.pidfd >= 0 {
		all = errors.Join(all, unix.Close(s.pidfd))
		s.pidfd = -1
	}
	return all
}
