package main

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hookd/hookd/spec/testbed"
)

// TestServiceManager checks what systemd hears over a daemon's life.
func TestServiceManager(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "a.lua")
	writeFile(t, script, countingRules)
	socket := filepath.Join(dir, "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", socket)
	t.Setenv("WATCHDOG_USEC", "200000")
	hears := func(pattern string) {
		t.Helper()
		var heard []string
		buf := make([]byte, 4096)
		if err := l.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		for {
			n, err := l.Read(buf)
			if err != nil {
				t.Fatalf("%s is not among %q", pattern, heard)
			}
			heard = append(heard, string(buf[:n]))
			if regexp.MustCompile("^" + pattern + "$").Match(buf[:n]) {
				return
			}
		}
	}
	p := start(t, dir, script)
	hears(`READY=1\nSTATUS=generation 1 \([0-9a-f]{12}\), 2 rules`)
	hears(`WATCHDOG=1`)
	writeFile(t, script, strings.Replace(countingRules, "rule", "-- a change\nrule", 1))
	hears(`STATUS=generation 2 .*`)
	writeFile(t, script, "rule {")
	p.until(func(st *status) bool { return st.ReloadFailures > 0 })
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	hears(`RELOADING=1\nMONOTONIC_USEC=\d+\n`)
	hears(`READY=1\nSTATUS=generation 2 .*, 2 rules; refused: .*a.lua:1:.*`)
	if code := p.end(os.Interrupt); code != 0 {
		t.Errorf("exit %d", code)
	}
	hears(`STOPPING=1\nSTATUS=draining`)
}

// TestLogIsReopened checks that a rotated log file is left alone after SIGHUP and
// the new one has all that follows, flushed within a second.
func TestLogIsReopened(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "a.lua")
	writeFile(t, script, `timer "t" { every = "20ms", run = function() alert "tick" end }`+"\n")
	p := start(t, dir, script)
	ticks := func(name string) int {
		text, _ := os.ReadFile(name)
		if n := strings.Count(string(text), "\n"); n > 0 && !strings.HasSuffix(string(text), "}\n") {
			t.Errorf("%s ends with a part of a line", name)
		}
		return strings.Count(string(text), `"name":"tick"`)
	}
	within := time.Minute
	if testbed.Proving() {
		within = time.Second
	}
	await := func(name string) {
		t.Helper()
		for end := time.Now().Add(within); ticks(name) == 0; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("nothing in %s after %v", name, within)
			}
		}
	}
	await(p.records)
	if err := os.Rename(p.records, p.records+".1"); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	await(p.records)
	before := ticks(p.records + ".1")
	st := p.until(func(st *status) bool { return st.Alerts > uint64(before)+10 })
	if code := p.end(os.Interrupt); code != 0 {
		t.Errorf("exit %d", code)
	}
	if after, rest := ticks(p.records+".1"), ticks(p.records); after != before || uint64(before+rest) < st.Alerts {
		t.Errorf("%d, then %d ticks before the rotation, %d after it; status said %d", before, after, rest, st.Alerts)
	}
}
