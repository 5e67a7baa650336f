package sock

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hookd/hookd/spec/testbed"
	"github.com/hookd/hookd/stacks/netfilter"
	"github.com/hookd/hookd/stacks/netfilter/netns"
	"github.com/hookd/hookd/stacks/sock/image"
)

// This program is its own mover and keeper in other processes.
const (
	envKeeper = "SOCK_TEST_KEEPER"
	envMover  = "SOCK_TEST_MOVER"
)

// asChild does what the environment says, if it says something.
func asChild() {
	switch {
	case os.Getenv(envKeeper) != "":
		if err := Keep(os.NewFile(3, "keeper")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	case os.Getenv(envMover) != "":
		what, rest, _ := strings.Cut(os.Getenv(envMover), " ")
		step, file, _ := strings.Cut(rest, " ")
		if err := killedMover(what, step, file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// killedMover takes the socket that is descriptor 4, or descriptor 3 of a process, or
// restores a file, in the namespace that is descriptor 3, and kills itself at a step.
func killedMover(what, step, file string) error {
	m := &Mover{Lease: 500 * time.Millisecond}
	observe := func(p *Progress) error {
		if p.Step.String() == step {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return nil
	}
	if what == "restore" {
		c, err := image.Claim(file)
		if err != nil {
			return err
		}
		_, err = m.Restore(c.Image, RestoreOptions{Namespace: "/proc/self/fd/3", Observe: observe})
		return errors.Join(err, errors.New("still alive"))
	}
	if err := os.Setenv(envKeeper, "1"); err != nil {
		return err
	}
	var err error
	if m.Keeper, err = StartKeeper("/proc/self/exe"); err != nil {
		return err
	}
	fd := 4
	if what == "steal" {
		pid, err := strconv.Atoi(file)
		if err != nil {
			return err
		}
		s, err := m.Steal(pid, 3)
		if err != nil {
			return err
		}
		fd, file = s.FD, ""
	}
	if what == "stage" { // by the staged calls
		if _, err = m.Block(fd); err != nil {
			return err
		}
		if _, err = m.Pause(fd); err != nil {
			return err
		}
		return observe(&Progress{Step: StepPaused})
	}
	_, err = m.Checkpoint(fd, CheckpointOptions{File: file, Observe: observe})
	return errors.Join(err, errors.New("still alive"))
}

// runKilled runs the mover in another process until it is dead.
func runKilled(t *testing.T, ns netns.Handle, fd int, env string) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), envMover+"="+env)
	dup, err := unix.Dup(fd)
	must(t, err)
	f := os.NewFile(uintptr(dup), "socket")
	cmd.ExtraFiles = []*os.File{ns.File(), f}
	cmd.Stderr = os.Stderr
	err = cmd.Run()
	must(t, f.Close())
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("mover: %v", err)
	}
}

// TestKilled kills the mover at every step and says who lives on.
func TestKilled(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	for _, tt := range []struct {
		step  string
		lives string
	}{
		{"before", "connection"},
		{"locked", "connection"},
		{"paused", "connection"},
		{"dumped", "connection"},
		{"image_written", "connection"},
		{"closing", "connection"},
		{"closed", "image"},
	} {
		t.Run("checkpoint/"+tt.step, func(t *testing.T) {
			e := connect(t, ns, families()[0])
			before := resets(t, ns)
			put(t, e.b, []byte("unread"))
			unreadIs(t, e.a, 6)
			file := filepath.Join(t.TempDir(), "c.img")
			runKilled(t, ns, e.a, "checkpoint "+tt.step+" "+file)
			lives := waitRescued(t, e, file)
			if lives != tt.lives {
				t.Fatalf("%s lives on, not the %s", lives, tt.lives)
			}
			fd := e.a
			if lives == "image" {
				m := mover(t)
				c, err := image.Claim(file)
				must(t, err)
				r, err := m.Restore(c.Image, RestoreOptions{Namespace: nsPath(t, ns), Adopt: true})
				must(t, err)
				must(t, c.Done())
				fd = r.FD
				must(t, unix.SetNonblock(fd, false))
			}
			alive(t, ns, e, fd, before)
			must(t, unix.Close(fd))
		})
	}
	nothingLeft(t, ns)
}

// TestStageKilled kills a mover between staged calls.
func TestStageKilled(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	e := connect(t, ns, families()[0])
	before := resets(t, ns)
	put(t, e.b, []byte("unread"))
	unreadIs(t, e.a, 6)
	runKilled(t, ns, e.a, "stage paused -")
	if lives := waitRescued(t, e, filepath.Join(t.TempDir(), "none")); lives != "connection" {
		t.Fatalf("%s lives on", lives)
	}
	alive(t, ns, e, e.a, before)
	must(t, unix.Close(e.a))
	nothingLeft(t, ns)
}

// waitRescued waits until either the connection or its image is whole, and wants the
// other not to be.
func waitRescued(t *testing.T, e *ends, file string) string {
	t.Helper()
	for until := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		info, err := readInfo(e.a)
		must(t, err)
		paused, err := getU32(e.a, unix.IPPROTO_TCP, unix.TCP_REPAIR)
		must(t, err)
		_, err = image.ReadFile(file)
		_, pending := os.Stat(file + ".pending")
		settled := pending != nil
		switch {
		case settled && info.state == Established && paused == 0 && err != nil:
			return "connection"
		case settled && info.state == Closed && err == nil:
			return "image"
		}
		if time.Now().After(until) {
			t.Fatalf("state %v, paused %d, image: %v, pending: %v", info.state, paused, err, pending)
		}
	}
}

// alive uses the connection both ways.
func alive(t *testing.T, ns netns.Handle, e *ends, fd, before int) {
	t.Helper()
	patience(t, fd)
	say(t, e.b, []byte(" and more"))
	want(t, fd, []byte("unread and more"))
	say(t, fd, []byte("answer"))
	want(t, e.b, []byte("answer"))
	if n := resets(t, ns) - before; n != 0 {
		t.Errorf("%d resets", n)
	}
}

// nothingLeft waits for the dead movers' leases and wants none of their tables.
func nothingLeft(t *testing.T, ns netns.Handle) {
	t.Helper()
	time.Sleep(600 * time.Millisecond) // the dead mover's lease
	must(t, netfilter.Sweep(ns))
	out := ""
	must(t, ns.Do(func() error {
		b, err := exec.Command("nft", "list", "tables").CombinedOutput()
		out = string(b)
		if errors.Is(err, exec.ErrNotFound) {
			return nil
		}
		return err
	}))
	for _, line := range strings.Split(out, "\n") {
		if strings.Contains(line, "hookd-lock-") && !strings.Contains(line, fmt.Sprintf("hookd-lock-%d-", os.Getpid())) {
			t.Errorf("left: %s", line)
		}
	}
}

// TestRestoreKilled kills the mover in the middle of a restore: the image stays whole
// and can be restored.
func TestRestoreKilled(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	m := mover(t)
	for _, step := range []string{"restore_before", "unbound", "bound", "noq", "queues", "restored", "unlocked"} {
		t.Run(step, func(t *testing.T) {
			e := connect(t, ns, families()[0])
			before := resets(t, ns)
			put(t, e.b, []byte("unread"))
			unreadIs(t, e.a, 6)
			file := filepath.Join(t.TempDir(), "c.img")
			taken, err := m.Checkpoint(e.a, CheckpointOptions{File: file})
			must(t, err)
			taken.Free()
			runKilled(t, ns, 0, "restore "+step+" "+file)
			c, err := image.Claim(file)
			must(t, err)
			r, err := m.Restore(c.Image, RestoreOptions{Namespace: nsPath(t, ns), Adopt: true})
			must(t, err)
			must(t, c.Done())
			must(t, unix.SetNonblock(r.FD, false))
			alive(t, ns, e, r.FD, before)
			must(t, unix.Close(r.FD))
		})
	}
	nothingLeft(t, ns)
}

// holder starts a process that has a connection as its descriptor 3 and knows nothing of
// it. Nobody else has it.
func holder(t *testing.T, e *ends) *os.Process {
	t.Helper()
	if os.Getuid() != 0 {
		testbed.Need(t, "root", errors.New("this is another user"))
	}
	dup, err := unix.Dup(e.a)
	must(t, err)
	f := os.NewFile(uintptr(dup), "socket")
	cmd := exec.Command("sleep", "60")
	cmd.ExtraFiles = []*os.File{f}
	must(t, cmd.Start())
	must(t, errors.Join(f.Close(), unix.Close(e.a)))
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd.Process
}

// goesOn waits until a process does not stand still any more.
func goesOn(t *testing.T, p *os.Process) {
	t.Helper()
	for until := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		state, err := stateOfProcess(p.Pid)
		if err == nil && state == 'S' {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("the process is in state %c, %v", state, err)
		}
	}
}

// TestStealKilled kills the mover while the process that it takes a connection from
// stands still.
func TestStealKilled(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	for _, step := range []string{"before", "locked", "closed"} {
		e := connect(t, ns, families()[0])
		p := holder(t, e)
		runKilled(t, ns, e.b, fmt.Sprintf("steal %s %d", step, p.Pid))
		goesOn(t, p)
	}
}

// TestStealTwice has two movers take connections of one process: the second waits for the
// first, and the process stands until both are done.
func TestStealTwice(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	one, other := mover(t), mover(t)
	p := holder(t, connect(t, ns, families()[0]))
	first, err := one.Steal(p.Pid, 3)
	must(t, err)
	released := make(chan error, 1)
	time.AfterFunc(30*time.Millisecond, func() { released <- first.Close() })
	second, err := other.Steal(p.Pid, 3)
	must(t, err)
	if len(released) == 0 {
		t.Log("this kernel locks no descriptor of a process")
	} else if state, err := stateOfProcess(p.Pid); err != nil || state != 'T' {
		t.Errorf("the process is in state %c, %v", state, err)
	}
	must(t, <-released)
	must(t, second.Close())
	goesOn(t, p)
}

// TestStealFromProcess takes a connection from another process that knows nothing of it.
func TestStealFromProcess(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	m := mover(t)
	e := connect(t, ns, families()[0])
	holder := holder(t, e)
	s, err := m.Steal(holder.Pid, 3)
	must(t, err)
	again, err := m.Steal(holder.Pid, 3)
	must(t, err)
	must(t, again.Close())
	if state, err := stateOfProcess(holder.Pid); err != nil || state != 'T' {
		t.Errorf("the process is in state %c, %v, while a descriptor of it is out", state, err)
	}
	taken, err := m.Checkpoint(s.FD, CheckpointOptions{})
	must(t, err)
	s.Closed()
	r, err := m.Restore(taken.Image, RestoreOptions{Namespace: nsPath(t, ns), Adopt: true})
	must(t, err)
	must(t, s.Close())
	defer unix.Close(r.FD)
	must(t, unix.SetNonblock(r.FD, false))
	patience(t, r.FD)
	say(t, e.b, []byte("ping"))
	want(t, r.FD, []byte("ping"))
	goesOn(t, holder)
	if _, err := m.Steal(holder.Pid, 99); !errors.Is(err, unix.EBADF) {
		t.Errorf("no such descriptor: %v", err)
	}
	if _, err := m.Steal(holder.Pid, 0); err == nil {
		t.Error("a descriptor that is no socket")
	}
}
