package main

import (
	"bufio"
	"fmt"
	"net"
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
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
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
