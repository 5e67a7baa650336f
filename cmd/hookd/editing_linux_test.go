package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestEditing saves rules again and again, some of them broken, while a capture
// loops over two shards: every pass comes to the same, and each valid content was
// live once.
func TestEditing(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "a.lua")
	text := func(n int) string {
		return fmt.Sprintf("rule \"all\" { on = flow.pkt_in, run = function(c, p) end } -- %d\nrule \"cuts\" { on = flow.conn_end, run = function(c) alert \"end\" end }\n", n)
	}
	writeFile(t, script, text(0))
	p := start(t, dir, script, "--pcap", "../../examples/rexmit-scope/capture.pcap", "--loop", "0", "--shards", "2")
	const saves = 15
	for n := 1; n <= saves; n++ {
		now := text(n)
		if n%5 == 0 {
			now = strings.Replace(now, "conn_end", "conn_ended", 1)
		}
		writeFile(t, script, now)
		p.until(func(st *status) bool { return st.Reloads+st.ReloadFailures == uint64(n) })
	}
	st := p.until(func(st *status) bool { return st.Passes > 100 })
	if st.Generation != 1+saves-saves/5 || st.ReloadFailures != saves/5 || st.Unlike != 0 || st.Draining != 0 {
		t.Errorf("%+v", st)
	}
	if last := st.LastPasses[0]; last.Packets != 149 || last.Events == 0 || last.Alerts != last.Connections {
		t.Errorf("%+v", last)
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
