package sock

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// stops are the processes that a mover has stopped: each once, however many of its
// connections are being taken.
type stops struct {
	mu   sync.Mutex
	held map[int]*stop
}

// stop is a process that stands still. Its descriptor is locked (flock), so that two
// programs which take connections of one process do so one after the other: neither lets
// it go on in the middle of the other's work.
type stop struct {
	pid    int
	pidfd  int
	holds  int
	frozen bool // by this mover; otherwise it stood before
}

// stopWait is how long a process may take to stand still, and another program to be done
// with it.
const stopWait = 2 * time.Second

// hold stops a process, if it is not stopped yet, and counts. The keeper, if there is
// one, lets it go on should this process be killed.
func (s *stops) hold(pid int, k *Keeper) (*stop, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.held[pid]; p != nil && unix.PidfdSendSignal(p.pidfd, 0, nil, 0) == nil {
		p.holds++
		return p, nil
	}
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("pidfd_open: %w", err)
	}
	p := &stop{pid: pid, pidfd: pidfd, holds: 1}
	if err := p.freeze(k); err != nil {
		return nil, errors.Join(err, p.thaw(k))
	}
	if s.held == nil {
		s.held = map[int]*stop{}
	}
	s.held[pid] = p
	return p, nil
}

// let counts down and lets the process go on when nobody needs it to stand any more.
// Another may have its number by now.
func (s *stops) let(p *stop, k *Keeper) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.holds--; p.holds > 0 {
		return nil
	}
	if s.held[p.pid] == p {
		delete(s.held, p.pid)
	}
	return p.thaw(k)
}

// freeze stops the process and waits until it stands. One that somebody else has
// stopped stays so.
func (p *stop) freeze(k *Keeper) error {
	until := time.Now().Add(stopWait)
	var fs unix.Statfs_t
	// Before Linux 6.9 all these descriptors are of one inode: a lock would be on all processes.
	lockable := unix.Fstatfs(p.pidfd, &fs) == nil && fs.Type == unix.PID_FS_MAGIC
	for lockable {
		err := unix.Flock(p.pidfd, unix.LOCK_EX|unix.LOCK_NB)
		if err == nil || !errors.Is(err, unix.EWOULDBLOCK) {
			break
		}
		if time.Now().After(until) {
			return fmt.Errorf("stop: another program takes its connections: %w", err)
		}
		time.Sleep(time.Millisecond)
	}
	if state, err := stateOfProcess(p.pid); err != nil || state == 'T' {
		return err
	}
	if k != nil {
		if err := k.watch(p.pidfd, watched{ID: stopID(p.pid), Stopped: true}); err != nil {
			return err
		}
	}
	p.frozen = true
	if err := unix.PidfdSendSignal(p.pidfd, unix.SIGSTOP, nil, 0); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	for ; ; time.Sleep(50 * time.Microsecond) {
		switch state, err := stateOfProcess(p.pid); {
		case err != nil:
			return err
		case state == 'T' || state == 't':
			return nil
		case time.Now().After(until):
			return fmt.Errorf("stop: state is still %c", state)
		}
	}
}

// thaw lets it go on.
func (p *stop) thaw(k *Keeper) error {
	var all error
	if p.frozen {
		all = resumeProcess(p.pidfd)
		if k != nil {
			k.forget(stopID(p.pid))
		}
	}
	return errors.Join(all, unix.Close(p.pidfd))
}

func stopID(pid int) string { return fmt.Sprintf("process %d", pid) }

func resumeProcess(pidfd int) error {
	if err := unix.PidfdSendSignal(pidfd, unix.SIGCONT, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("sock: continue process: %w", err)
	}
	return nil
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
