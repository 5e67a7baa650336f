package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/control"
	"github.com/hookd/hookd/runtime/lua/console"
	"github.com/hookd/hookd/spec/testbed"
)

// attach runs a daemon on looped captures and returns a client of it.
func attach(t *testing.T) (*daemon, *control.Client) {
	t.Helper()
	dir := t.TempDir()
	scripts := filepath.Join(dir, "scripts")
	if err := errors.Join(os.Mkdir(scripts, 0o755), os.WriteFile(filepath.Join(scripts, "count.lua"), []byte(`
		local seen = 0
		rule "count" { on = flow.conn_start, run = function() seen = seen + 1 end }`), 0o644)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "sock")
	d, err := newDaemon(&runOptions{
		pcap: []string{"../../examples/rexmit-scope/capture.pcap"}, speed: "max", loop: 0, control: path, start: "files",
	}, []string{scripts}, new(strings.Builder), new(strings.Builder))
	if err != nil {
		t.Fatal(err)
	}
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
	return d, c
}

// dial attaches a console.
func dial(t *testing.T, c *control.Client, notes func(string)) (*console.Client, net.Conn) {
	t.Helper()
	var conn net.Conn
	var err error
	for range 6000 { // until the daemon answers
		if conn, err = c.Talk(t.Context(), "/console?width=80"); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	cl, err := console.Dial(conn, notes)
	if err != nil {
		t.Fatal(err)
	}
	return cl, conn
}

// TestConsoleAttached evaluates in a daemon that handles traffic, whose passes
// stay the same whatever consoles do, and leaves in good order and in none.
func TestConsoleAttached(t *testing.T) {
	d, c := attach(t)
	notes := make(chan string, 10_000)
	note := func(line string) {
		select {
		case notes <- line:
		default:
		}
	}
	cl, _ := dial(t, c, note)
	run := func(cl *console.Client, input, want string) {
		t.Helper()
		r, err := cl.Run(input)
		if err != nil || !strings.Contains(r.Text, want) {
			t.Errorf("%s: %q, %v, want %q", input, r.Text, err, want)
		}
	}
	run(cl, "1 + 1", "2")
	run(cl, ":in count", "scripts/count.lua has seen")
	run(cl, "seen > 0 or sleep '1s'", "true")
	run(cl, ":in", "")
	run(cl, `rule "mine" { on = flow.conn_start, run = function(c) print(tostring(c)) end }`, "is live")
	select {
	case <-notes:
	case <-time.After(time.Minute):
		t.Error("the rule that was typed does not run")
	}
	run(cl, ":watch flow.conn_end", "watching")
	run(cl, ":rules mine", "console: mine")
	if got, err := cl.Complete("flow.conn_st"); err != nil || len(got.Words) != 1 || got.Words[0] != "conn_start" {
		t.Errorf("%+v, %v", got, err)
	}
	if err := cl.Close(); err != nil {
		t.Error(err)
	}
	before := runtime.NumGoroutine()
	for i := range 5 {
		cl, conn := dial(t, c, note)
		run(cl, fmt.Sprintf(`x = %d rule "r" { on = flow.new_data, run = function(c, d) x = x + d.len end }`, i), "is live")
		go func() { // vanishes in the middle of an endless loop
			time.Sleep(5 * time.Millisecond)
			conn.Close()
		}()
		if r, err := cl.Run("while true do end"); err == nil && !strings.Contains(r.Text, "budget") {
			t.Errorf("%+v", r)
		}
		cl.Close()
	}
	left := func() (rules, goroutines int) {
		for range 6000 {
			rules, goroutines = len(d.engine.Rules()), runtime.NumGoroutine()
			if rules == 1 && goroutines <= before {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		return rules, goroutines
	}
	if rules, goroutines := left(); rules != 1 || goroutines > before {
		t.Errorf("left behind: %d rules, %d goroutines of %d", rules, goroutines, before)
	}
	var st status
	if err := c.Do(t.Context(), http.MethodGet, "/status", nil, &st); err != nil || st.Passes < 2 {
		t.Fatalf("%+v, %v", st, err)
	}
	for _, p := range st.LastPasses[1:] {
		if p.Packets != st.LastPasses[0].Packets || p.Connections != st.LastPasses[0].Connections {
			t.Errorf("passes differ: %+v and %+v", st.LastPasses[0], p)
		}
	}
}

// TestConsoleTerminal drives a console in a terminal by tmux.
func TestConsoleTerminal(t *testing.T) {
	tmux, err := exec.LookPath("tmux")
	testbed.Need(t, "tmux", err)
	dir := t.TempDir()
	binary, err := exec.LookPath("hookd") // of TestMain
	if err != nil {
		t.Fatal(err)
	}
	call := func(args ...string) string {
		cmd := exec.Command(tmux, append([]string{"-S", filepath.Join(dir, "tmux")}, args...)...)
		cmd.Env = append(os.Environ(), "NO_COLOR=1", "LC_ALL=C.UTF-8")
		out, _ := cmd.CombinedOutput()
		return string(out)
	}
	history := filepath.Join(dir, "history")
	call("new-session", "-d", "-x", "90", "-y", "40", "-c", dir, "HOOKD_HISTORY="+history+" NO_COLOR=1 "+binary+"; echo left with $?; cat")
	defer call("kill-server")
	see := func(want string) {
		t.Helper()
		var screen string
		for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if screen = call("capture-pane", "-p"); strings.Contains(screen, want) {
				return
			}
		}
		t.Fatalf("%q does not come:\n%s", want, screen)
	}
	keys := func(list ...string) { call(append([]string{"send-keys"}, list...)...) }
	see("hookd 1>")
	keys("-l", "x = {")
	keys("Enter")
	see("......>")
	keys("-l", "1, 2 }")
	keys("Enter")
	see("hookd 3>")
	keys("-l", "x")
	keys("Enter")
	see("{ 1, 2 }")
	keys("-l", "flow.conn_sta")
	keys("Tab")
	see("flow.conn_start")
	keys("C-c")
	keys("-l", `timer "t" { every = "1s", run = function() print "tick tock" end }`)
	keys("Enter")
	see("is live until")
	keys("-l", "not yet entered")
	see("tick tock")
	see("> not yet entered") // it stays where it is typed
	keys("C-c")
	keys("-l", `print("fast a".."sleep") sleep "1h"`)
	keys("Enter")
	see("fast asleep")
	keys("C-c")
	see("interrupted")
	keys("C-l", "Up")
	see(`> print("fast a".."sleep") sleep "1h"`)
	keys("C-c")
	keys("C-d")
	see("left with 0")
	info, err := os.Stat(history)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("history: %v, %v", info, err)
	}
	text, err := os.ReadFile(history)
	if err != nil || !strings.HasPrefix(string(text), "x = {\n1, 2 }\nx\n") {
		t.Errorf("history: %q, %v", text, err)
	}
}

// TestConsoleGuide runs the session that the guide shows.
func TestConsoleGuide(t *testing.T) {
	page, err := os.ReadFile("../../spec/guide/console.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "```lua\n")
	script, rest, _ := strings.Cut(rest, "```\n")
	_, rest, shown := strings.Cut(rest, "```console\n")
	session, _, _ := strings.Cut(rest, "```\n")
	if !found || !shown {
		t.Fatal("the guide shows no session")
	}
	t.Chdir(t.TempDir())
	if err := errors.Join(os.Mkdir("scripts", 0o755), os.WriteFile("scripts/count.lua", []byte(script), 0o644)); err != nil {
		t.Fatal(err)
	}
	var input, want strings.Builder
	for line := range strings.Lines(session) {
		if typed, ok := strings.CutPrefix(line, "> "); ok {
			input.WriteString(typed)
		} else {
			want.WriteString(line)
		}
	}
	var out strings.Builder
	if code := run(nil, strings.NewReader(input.String()), &out, &out); code != exitFinding {
		t.Errorf("exit %d", code)
	}
	got := strings.TrimSuffix(out.String(), "hookd: 1 input failed\n")
	if diff := cmp.Diff(want.String(), got); diff != "" {
		t.Error(diff)
	}
}
