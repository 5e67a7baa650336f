package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookd/hookd/spec/testbed"
)

// TestReloadUnderLoad reloads five times a second beneath clients that never pause, for
// half a minute where spec/prove/run asks: no request fails, no connection closes, and
// each answer is that of one generation.
func TestReloadUnderLoad(t *testing.T) {
	length := 1500 * time.Millisecond
	if testbed.Proving() {
		length = 30 * time.Second
	}
	script := func(gen int) string {
		return fmt.Sprintf(`
loop.listen "api" { url = "tcp://127.0.0.1:0", limits = { idle = "60s" } }
local gen = %d
rule "answer" { on = loop.recv, match = { listener = "api" }, run = function(c)
  local line = c:take_line()
  while line do
    c.data.n = (c.data.n or 0) + 1
    c:send(line .. " " .. c.data.n .. " " .. gen .. "\n")
    line = c:take_line()
  end
end }
rule "slow" { on = loop.accept, match = { listener = "api" }, run = function(c) if gen %% 2 == 0 then sleep "2ms" end end }`, gen)
	}
	h := newLoopHouse(t, script(0))
	at := h.at("api")
	var stop atomic.Bool
	var asked, closed atomic.Int64
	var clients sync.WaitGroup
	for i := range 24 {
		clients.Go(func() {
			fresh := i%3 == 0 // a connection for every ten requests, else one for all
			for !stop.Load() {
				n, err := requests(at, i, &stop, fresh)
				if asked.Add(int64(n)); err != nil {
					closed.Add(1)
					t.Errorf("client %d after %d requests: %v", i, n, err)
					return
				}
			}
		})
	}
	reloads := 0
	for end := time.Now().Add(length); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		reloads++
		h.apply(script(reloads))
	}
	stop.Store(true)
	clients.Wait()
	if h.at("api") != at {
		t.Error("the listener moved")
	}
	if n := h.engine.Stats().Errors; n > 0 {
		t.Errorf("%d script errors", n)
	}
	t.Logf("%d requests over %d reloads, %d connections closed, %d accepted", asked.Load(), reloads, closed.Load(), h.loops.Stats().Accepted)
}

// TestReloadUnderWrk reloads an HTTP server five times a second under wrk at full load:
// no request fails, and no connection is opened twice, so that none was closed.
func TestReloadUnderWrk(t *testing.T) {
	wrk, err := exec.LookPath("wrk")
	testbed.Need(t, "wrk", err)
	length := time.Second
	if testbed.Proving() {
		length = 30 * time.Second
	}
	script := func(gen int) string {
		return fmt.Sprintf(`
loop.listen "web" { url = "http://127.0.0.1:0" }
rule "hello" { on = loop.http_request, match = { listener = "web", path = "/" }, run = function(c, req)
  return loop.reply(200, "hello of generation %d\n")
end }`, gen)
	}
	h := newLoopHouse(t, script(0))
	const conns = 64
	load := exec.Command(wrk, "-t", "2", "-c", strconv.Itoa(conns), "-d", strconv.Itoa(int(length/time.Second))+"s", "--latency", "http://"+h.at("web")+"/")
	var said bytes.Buffer
	load.Stdout, load.Stderr = &said, &said
	if err := load.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- load.Wait() }()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	reloads := 0
	for over := false; !over; {
		select {
		case err := <-done:
			if over = true; err != nil {
				t.Fatalf("wrk: %v\n%s", err, &said)
			}
		case <-tick.C:
			reloads++
			h.apply(script(reloads))
		}
	}
	for _, bad := range []string{"Socket errors", "Non-2xx"} {
		if strings.Contains(said.String(), bad) {
			t.Errorf("%s\n%s", bad, &said)
		}
	}
	requests, _, found := strings.Cut(said.String(), " requests in ")
	if !found {
		t.Fatalf("wrk says nothing of requests\n%s", &said)
	}
	requests = requests[strings.LastIndexAny(requests, " \n")+1:]
	// Before it begins it opens one to see whether anybody is there.
	if n := h.loops.Stats().Accepted; n != conns+1 {
		t.Errorf("%d connections were opened for %d that are kept alive", n-1, conns)
	}
	t.Logf("wrk: %s requests over %d reloads in %s, %d connections, none failed, none closed", requests, reloads, length, conns)
}

// requests asks on one connection, and wants each answer to count on.
func requests(at string, id int, stop *atomic.Bool, few bool) (n int, err error) {
	c, err := net.Dial("tcp", at)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	r := bufio.NewReader(c)
	last := 0
	for ; !stop.Load() && (!few || n < 10); n++ {
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		if _, err := fmt.Fprintf(c, "%d-%d\n", id, n); err != nil {
			return n, err
		}
		line, err := r.ReadString('\n')
		if err != nil {
			return n, err
		}
		gen := 0
		if _, err := fmt.Sscanf(line, fmt.Sprintf("%d-%d %d %%d\n", id, n, n+1), &gen); err != nil || gen < last {
			return n, fmt.Errorf("answered %q after generation %d", strings.TrimSpace(line), last)
		}
		last = gen
	}
	return n, nil
}
