package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// webServer is a program that answers HTTP until it is stopped.
type webServer struct {
	name, url string
	argv, env []string
	get       string // where it is from
}

// million is how many requests a sample's CPU time is given for.
const million = 1_000_000

// loadTime is how long a server is asked for one sample.
func (b *bench) loadTime() time.Duration {
	if b.short {
		return 2 * time.Second
	}
	return 4 * time.Second
}

// load starts a server, asks it by so many connections, and returns what a million
// requests took.
func (b *bench) load(v *webServer, connections int) (s sample, err error) {
	cmd := exec.CommandContext(b.ctx, v.argv[0], v.argv[1:]...)
	cmd.Env = append(os.Environ(), v.env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		return s, err
	}
	defer func() {
		stopErr := stop(cmd)
		if err != nil {
			err = errors.Join(fmt.Errorf("%w\n%.500s", err, said.String()), stopErr)
		}
	}()
	if err := b.answers(v.url); err != nil {
		return s, err
	}
	if _, err := b.wrk(v.url, connections, time.Second); err != nil {
		return s, err
	}
	before, err := treeCPU(cmd.Process.Pid)
	if err != nil {
		return s, err
	}
	begin := time.Now()
	requests, err := b.wrk(v.url, connections, b.loadTime())
	if err != nil {
		return s, err
	}
	s.wall = time.Since(begin)
	after, err := treeCPU(cmd.Process.Pid)
	if err != nil {
		return s, err
	}
	s.cpu = time.Duration(float64(after-before) / requests * million)
	s.wall = time.Duration(float64(s.wall) / requests * million)
	s.memory, err = treeMemory(cmd.Process.Pid)
	return s, err
}

// stop ends a server, kindly first.
func stop(cmd *exec.Cmd) error {
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	ended := make(chan struct{})
	kill := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
	go func() {
		defer close(ended)
		_ = cmd.Wait() // how it ends does not matter
	}()
	<-ended
	kill.Stop()
	return nil
}

// answers waits until a server answers as all of them do.
func (b *bench) answers(url string) error {
	var err error
	for range 100 {
		var r *http.Response
		if r, err = http.Get(url); err == nil {
			body, readErr := io.ReadAll(r.Body)
			_ = r.Body.Close()
			if readErr != nil || r.StatusCode != http.StatusOK || string(body) != "hello\n" {
				return fmt.Errorf("%s answers %s %q", url, r.Status, body)
			}
			return nil
		}
		select {
		case <-b.ctx.Done():
			return b.ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return err
}

var (
	wrkRequests = regexp.MustCompile(`(?m)^\s*(\d+) requests in`)
	wrkTrouble  = regexp.MustCompile(`(?m)^\s*(Socket errors:|Non-2xx).*$`)
)

// wrk asks for so long and returns how many requests were answered.
func (b *bench) wrk(url string, connections int, d time.Duration) (float64, error) {
	out, err := exec.CommandContext(b.ctx, "wrk", "-t", "1", "-c", strconv.Itoa(connections), "-d", strconv.Itoa(int(d.Seconds()))+"s", url).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("wrk (apt install wrk): %w\n%s", err, out)
	}
	if trouble := wrkTrouble.Find(out); trouble != nil {
		return 0, fmt.Errorf("wrk: %s", bytes.TrimSpace(trouble))
	}
	m := wrkRequests.FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("wrk said nothing of requests:\n%s", out)
	}
	return strconv.ParseFloat(string(m[1]), 64)
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
