package sock

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Stolen is a duplicate of a descriptor in another process, which stands still
// meanwhile.
type Stolen struct {
	FD     int
	pid    int
	pidfd  int
	frozen bool
}

// stopWait is how long a process may take to stand still.
const stopWait = 2 * time.Second

// Steal stops a process and duplicates one of its descriptors. It needs what ptrace of
// the process needs. What it does with a socket whose connection is taken away is the
// program's affair: it finds it aborted.
func Steal(pid, fd int) (*Stolen, error) {
	s := &Stolen{FD: -1, pid: pid, pidfd: -1}
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
		if err := s.freeze(); err != nil {
			return err
		}
	}
	if s.FD, err = unix.PidfdGetfd(s.pidfd, fd, 0); err != nil {
		return fmt.Errorf("pidfd_getfd: %w", err)
	}
	return nil
}

// freeze stops the process and waits until it stands. One that somebody else has
// stopped stays so.
func (s *Stolen) freeze() error {
	if state, err := stateOfProcess(s.pid); err != nil || state == 'T' {
		return err
	}
	if err := unix.PidfdSendSignal(s.pidfd, unix.SIGSTOP, nil, 0); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	s.frozen = true
	for until := time.Now().Add(stopWait); ; time.Sleep(50 * time.Microsecond) {
		switch state, err := stateOfProcess(s.pid); {
		case err != nil:
			return err
		case state == 'T' || state == 't':
			return nil
		case time.Now().After(until):
			return fmt.Errorf("stop: state is still %c", state)
		}
	}
}

// stateOfProcess reads the letter behind the name, which may hold anything.
func stateOfProcess(pid int) (byte, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, ok := strings.Cut(string(b[max(strings.LastIndexByte(string(b), ')'), 0):]), ") ")
	if !ok || rest == "" {
		return 0, fmt.Errorf("state of process %d: %w", pid, unix.EBADMSG)
	}
	return rest[0], nil
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
	if s.frozen {
		s.frozen = false
		if err := unix.PidfdSendSignal(s.pidfd, unix.SIGCONT, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			all = errors.Join(all, fmt.Errorf("sock: continue process %d: %w", s.pid, err))
		}
	}
	if s.pidfd >= 0 {
		all = errors.Join(all, unix.Close(s.pidfd))
		s.pidfd = -1
	}
	return all
}
