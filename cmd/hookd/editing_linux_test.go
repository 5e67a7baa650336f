package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hookd/hookd/spec/testbed"
)

// TestEditing saves rules again and again, some of them broken, while a capture
// loops over two shards: every pass comes to the same, and each valid content was
// live once. It takes a minute of ten saves a second where proving.
func TestEditing(t *testing.T) {
	dir := t.TempDir()
	saves, pace := 15, time.Duration(0)
	if testbed.Proving() {
		saves, pace = 600, 100*time.Millisecond
	}
	script := filepath.Join(dir, "a.lua")
	text := func(n int) string {
		return fmt.Sprintf("rule \"all\" { on = flow.pkt_in, run = function(c, p) end } -- %d\nrule \"cuts\" { on = flow.conn_end, run = function(c) alert \"end\" end }\n", n)
	}
	writeFile(t, script, text(0))
	p := start(t, dir, script, "--pcap", "../../examples/rexmit-scope/capture.pcap", "--loop", "0", "--shards", "2")
	next := time.Now()
	for n := 1; n <= saves; n++ {
		time.Sleep(time.Until(next))
		next = next.Add(pace)
		now := text(n)
		if n%5 == 0 {
			now = strings.Replace(now, "conn_end", "conn_ended", 1)
		}
		writeFile(t, script, now)
		p.until(func(st *status) bool { return st.Reloads+st.ReloadFailures == uint64(n) })
	}
	st := p.until(func(st *status) bool { return st.Passes > 100 })
	t.Logf("%d saves, %d of them broken: generation %d, %d passes, %d unlike the first", saves, saves/5, st.Generation, st.Passes, st.Unlike)
	if st.Generation != uint64(1+saves-saves/5) || st.ReloadFailures != uint64(saves/5) || st.Unlike != 0 || st.Draining != 0 {
		t.Errorf("%+v", st)
	}
	if last := st.LastPasses[0]; last.Packets != 149 || last.Events == 0 || last.Alerts != last.Connections {
		t.Errorf("%+v", last)
	}
	if code := p.end(os.Interrupt); code != 0 {
		t.Errorf("exit %d", code)
	}
}

// TestSaveToLive measures how long a saved script of 200 lines takes until it is
// live, with traffic: the promise is held where proving, a hundredfold one else.
func TestSaveToLive(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "a.lua")
	text := func(n int) string {
		var b strings.Builder
		for i := range 99 {
			fmt.Fprintf(&b, "local function f%d(c)\n  return c.client.bytes + %d end\n", i, i+n)
		}
		b.WriteString("rule \"all\" { on = flow.conn_end, run = function(c)\n  c.data.n = f1(c) + f2(c) + f98(c) end }\n")
		return b.String()
	}
	writeFile(t, script, text(0))
	p := start(t, dir, script, "--pcap", "../../examples/rexmit-scope/capture.pcap", "--loop", "0")
	saves, slack := 10, time.Duration(100)
	if testbed.Proving() {
		saves, slack = 100, 1
	}
	var took []time.Duration
	for n := 1; n <= saves; n++ {
		begin := time.Now()
		writeFile(t, script, text(n))
		p.until(func(st *status) bool { return st.Generation == uint64(1+n) })
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	median, p90 := took[len(took)/2], took[len(took)*9/10]
	t.Logf("save to live: median %v, p90 %v of %d", median, p90, saves)
	if median > slack*100*time.Millisecond || p90 > slack*250*time.Millisecond {
		t.Errorf("save to live: median %v, p90 %v", median, p90)
	}
	if code := p.end(os.Interrupt); code != 0 {
		t.Errorf("exit %d", code)
	}
}

// TestKilledWhileReloading kills a daemon at moments of its reloads: the next one
// begins with the files, or with what was live last where they do not load.
func TestKilledWhileReloading(t *testing.T) {
	dir := t.TempDir()
	script, state := filepath.Join(dir, "a.lua"), filepath.Join(dir, "state")
	text := func(n int) string {
		return countingRules + fmt.Sprintf("store \"kept\" { kind = \"set\", persist = true } -- %d\n", n)
	}
	writeFile(t, script, text(0))
	for round := range 6 {
		p := start(t, dir, script, "--state", state, "--start", "last-good")
		st := p.until(func(*status) bool { return true })
		if broken := round > 0 && round%2 == 0; st.Rules != 2 || st.Stale != broken {
			t.Errorf("round %d: %+v", round, st)
		}
		for n := range 3 {
			writeFile(t, script, text(100*round+n))
			time.Sleep(15 * time.Millisecond)
		}
		if round%2 == 1 {
			p.until(func(st *status) bool { return st.Generation > 1 })
			writeFile(t, script, "rule {")
		}
		time.Sleep(time.Duration(25+5*round) * time.Millisecond)
		if code := p.end(syscall.SIGKILL); code != -1 {
			t.Errorf("exit %d", code)
		}
	}
	left, err := filepath.Glob(filepath.Join(state, "*"))
	if err != nil || len(left) > 4 {
		t.Errorf("%v, %v", left, err)
	}
}
