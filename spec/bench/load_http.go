package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// webServer is a program that answers HTTP until it is stopped.
type webServer struct {
	name, url string
	argv, env []string
	get       string // where it is from
}

// million is how many requests or messages a sample's CPU time is given for.
const million = 1_000_000

// load starts a server, asks it by so many connections, and returns what a million
// requests took.
func (b *bench) load(v *webServer, connections int) (s sample, err error) {
	server, err := b.serve(v.env, v.argv...)
	if err != nil {
		return s, err
	}
	defer func() { err = server.end(err) }()
	if err := b.answers(v.url); err != nil {
		return s, err
	}
	if _, err := b.wrk(v.url, connections, time.Second); err != nil {
		return s, err
	}
	before, err := treeCPU(server.pid())
	if err != nil {
		return s, err
	}
	begin := time.Now()
	requests, err := b.wrk(v.url, connections, b.loadTime())
	if err != nil {
		return s, err
	}
	s.wall = time.Since(begin)
	after, err := treeCPU(server.pid())
	if err != nil {
		return s, err
	}
	s.cpu = time.Duration(float64(after-before) / requests * million)
	s.wall = time.Duration(float64(s.wall) / requests * million)
	s.memory, err = treeMemory(server.pid())
	return s, err
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
