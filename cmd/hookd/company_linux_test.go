package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/control"
	"github.com/hookd/hookd/spec/testbed"
	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/feed"
)

// recorded reads the frames of a capture again and again from memory.
type recorded struct {
	frames []capture.Frame
	times  int
	next   int
}

// memory reads a capture into memory.
func memory(t *testing.T, path string) []capture.Frame {
	t.Helper()
	r, err := capture.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var list []capture.Frame
	for {
		var f capture.Frame
		err := r.Next(&f)
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Data = slices.Clone(f.Data)
		list = append(list, f)
	}
}

// Next implements [feed.Reader].
func (r *recorded) Next(f *capture.Frame) error {
	n := len(r.frames)
	if r.next == r.times*n {
		return io.EOF
	}
	*f = r.frames[r.next%n]
	f.TS += int64(r.next/n) * (r.frames[n-1].TS - r.frames[0].TS + int64(time.Second))
	r.next++
	return nil
}

// Close implements [feed.Reader].
func (r *recorded) Close() error { return nil }

// metered is a source whose goroutine tells what its thread cost so far.
type metered struct {
	feed.Source
	locked bool
	n      int
	cpu    atomic.Int64
}

// Next implements [feed.Source].
func (m *metered) Next(f *capture.Frame, wait time.Duration) error {
	if !m.locked {
		runtime.LockOSThread() // the thread ends with the goroutine
		m.locked = true
	}
	if m.n++; m.n%256 == 0 {
		m.cpu.Store(threadCPU())
	}
	return m.Source.Next(f, wait)
}

const companyRules = `local big = 0
rule "data" { on = flow.new_data, match = { client = { port = is.gt(1024) } }, run = function(c, d)
  if d.len > 1000 then big = big + 1 end
end }
rule "pkts" { on = flow.pkt_in, match = { pkt = { len = is.gt(60000) } }, run = function(c, p) alert "huge" end }
rule "ends" { on = flow.conn_end, run = function(c) c.data.n = c.client.bytes + c.server.bytes end }
`

// loaded runs a daemon on a capture from memory, as fast as it goes, and returns it
// with what its shard's thread costs.
func loaded(t *testing.T) (*daemon, *metered, *control.Client) {
	t.Helper()
	const name = "../../examples/rexmit-scope/capture.pcap"
	dir := t.TempDir()
	script := filepath.Join(dir, "rules.lua")
	if err := os.WriteFile(script, []byte(companyRules), 0o644); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "sock")
	d, err := newDaemon(&runOptions{pcap: []string{name}, speed: "max", loop: 0, control: path, start: "files"},
		[]string{script}, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	frames := memory(t, name)
	cfg, err := d.sources()
	if err != nil {
		t.Fatal(err)
	}
	m := &metered{Source: feed.NewLoop(feed.LoopConfig{Open: func() (feed.Reader, error) {
		return &recorded{frames: frames, times: 200}, nil
	}})}
	cfg.Sources = []feed.Source{m}
	d.feed = feed.New(cfg)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.run(ctx) }()
	c := control.NewClient(path)
	t.Cleanup(func() {
		c.Close()
		cancel()
		if err := errors.Join(<-ended, d.close()); err != nil {
			t.Error(err)
		}
	})
	return d, m, c
}

// company is two consoles at which somebody types, and a trace. It returns what ends it when
// all of them did something, and tells how many inputs ran and how many events were traced.
func company(t *testing.T, c *control.Client) (leave func() (inputs, events int)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var inputs, events atomic.Int64
	for _, lines := range [][]string{{"#flow.conns()", "flow.conns { proto = \"tcp\" }[1]"}, {":in rules", "big", "big > 0 and 'some' or 'none'"}} {
		who, _ := dial(t, c, func(string) {})
		all.Go(func() {
			defer who.Close()
			for n := 0; ctx.Err() == nil; n++ {
				if r, err := who.Run(lines[n%len(lines)]); err != nil || r.Failed {
					t.Errorf("%s: %s, %v", lines[n%len(lines)], r.Text, err)
					return
				}
				inputs.Add(1)
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
	all.Go(func() {
		err := c.Lines(ctx, "/trace?pattern=flow.conn_end&where=client.bytes+%3E+1", func(line []byte) bool {
			if strings.Contains(string(line), "flow.conn_end") {
				events.Add(1)
			}
			return true
		})
		if err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
	return func() (int, int) {
		for end := time.Now().Add(time.Minute); (inputs.Load() == 0 || events.Load() == 0) && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		cancel()
		all.Wait()
		return int(inputs.Load()), int(events.Load())
	}
}

// TestCompanyIsCheap measures what two consoles and a trace cost the shard of a
// daemon that is as busy as can be: its thread's processor time an event, with and
// without, in turns. At most a twentieth more is promised; where not proving, that
// they do their work.
func TestCompanyIsCheap(t *testing.T) {
	rounds, length := 2, 100*time.Millisecond
	if testbed.Proving() {
		rounds, length = 7, 2*time.Second
	}
	d, m, c := loaded(t)
	d.waitRunning(t)
	measure := func() float64 {
		time.Sleep(50 * time.Millisecond)
		cpu, events := m.cpu.Load(), d.engine.Stats().Events
		time.Sleep(length)
		cpu2, events2 := m.cpu.Load(), d.engine.Stats().Events
		return float64(cpu2-cpu) / float64(events2-events)
	}
	var alone, with []float64
	inputs, events := 0, 0
	for range rounds {
		alone = append(alone, measure())
		leave := company(t, c)
		with = append(with, measure())
		i, e := leave()
		inputs, events = inputs+i, events+e
	}
	slices.Sort(alone)
	slices.Sort(with)
	a, w := alone[len(alone)/2], with[len(with)/2]
	t.Logf("an event takes the shard %.0f ns, with two consoles and a trace %.0f ns: %+.1f %% (median of %d rounds; %d inputs, %d traced)",
		a, w, 100*(w/a-1), rounds, inputs, events)
	if inputs == 0 || events == 0 {
		t.Error("the company did nothing")
	}
	if testbed.Proving() && w > 1.05*a {
		t.Errorf("alone %.0f, with company %.0f", alone, with)
	}
}

// waitRunning waits until events come.
func (d *daemon) waitRunning(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(time.Minute); d.engine.Stats().Events == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no event comes")
		}
	}
}
