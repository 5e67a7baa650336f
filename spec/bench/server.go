package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// server is a program that runs until it is ended.
type server struct {
	cmd  *exec.Cmd
	said bytes.Buffer // on standard error; whole when it has ended
}

// serve starts a program in the bench's directory.
func (b *bench) serve(env []string, argv ...string) (*server, error) {
	s := &server{cmd: exec.CommandContext(b.ctx, argv[0], argv[1:]...)}
	s.cmd.Dir, s.cmd.Env, s.cmd.Stderr = b.dir, append(os.Environ(), env...), &s.said
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(os.Interrupt) }
	s.cmd.WaitDelay = 5 * time.Second
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("run %s: %w", argv[0], err)
	}
	return s, nil
}

func (s *server) pid() int { return s.cmd.Process.Pid }

// end stops the program, kindly first, and its children with it. To an error it adds
// what the program said.
func (s *server) end(err error) error {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Signal(os.Interrupt)
		kill := time.AfterFunc(8*time.Second, func() { _ = s.cmd.Process.Kill() })
		_ = s.cmd.Wait() // how it ends does not matter
		kill.Stop()
	}
	if err != nil && s.said.Len() != 0 {
		return fmt.Errorf("%w\n%s said: %.500s", err, s.cmd.Args[0], s.said.String())
	}
	return err
}

// loadTime is how long a server is asked for one sample.
func (b *bench) loadTime() time.Duration {
	if b.short {
		return 2 * time.Second
	}
	return 4 * time.Second
}

// treeCPU returns the CPU time of a process and its children, user and system.
func treeCPU(pid int) (time.Duration, error) {
	const tick = time.Second / 100 // USER_HZ, the same on all of Linux
	total := time.Duration(0)
	for _, p := range tree(pid) {
		stat, err := statOf(p)
		if err != nil {
			continue
		}
		for _, i := range []int{11, 12} { // utime and stime, proc(5), after the name
			n, err := strconv.ParseInt(stat[i], 10, 64)
			if err != nil {
				return 0, err
			}
			total += time.Duration(n) * tick
		}
	}
	if total == 0 {
		return 0, fmt.Errorf("no CPU time of process %d in /proc", pid)
	}
	return total, nil
}

// treeMemory returns the resident bytes of a process and its children at most.
func treeMemory(pid int) (int64, error) {
	total := int64(0)
	for _, p := range tree(pid) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
				if err != nil {
					return 0, err
				}
				total += n << 10
			}
		}
	}
	return total, nil
}

// tree lists a process and its children.
func tree(pid int) []int {
	list := []int{pid}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return list
	}
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if stat, err := statOf(child); err == nil && stat[1] == strconv.Itoa(pid) {
			list = append(list, child)
		}
	}
	return list
}

// statOf returns what /proc says of a process, without its number and name.
func statOf(pid int) ([]string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	i := bytes.LastIndexByte(text, ')')
	fields := strings.Fields(string(text[i+1:]))
	if len(fields) < 20 {
		return nil, fmt.Errorf("/proc/%d/stat: %d fields", pid, len(fields))
	}
	return fields, nil
}
