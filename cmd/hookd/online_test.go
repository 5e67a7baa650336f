package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestReplayOnline asks a server for each connection of a capture: the answers come at
// the packet that asked, in the order of the questions however long each takes, and so
// every replay gives the same. Without --online nothing is asked.
func TestReplayOnline(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if strings.HasSuffix(r.URL.Path, "/1") {
			time.Sleep(50 * time.Millisecond) // the second question is answered first
		}
		fmt.Fprint(w, "seen "+r.URL.Path)
	}))
	defer srv.Close()
	script := filepath.Join(t.TempDir(), "a.lua")
	writeFile(t, script, fmt.Sprintf(`
rule "ask" { on = flow.conn_start.snd, run = function(c)
  spawn(function(id)
    for n = 1, 2 do
      local at = this.ts
      local res, why = http.get { url = %q .. id .. "/" .. n, timeout = "5s" }
      alert("answer", { id = id, body = res and res.body or why, late = this.ts - at })
    end
  end, c.id)
end }
rule "last" { on = flow.conn_end, run = function(c) spawn(function() alert("host", { at = dns.lookup("127.0.0.1")[1] }) end) end }
`, srv.URL+"/"))
	replay := func(args ...string) string {
		var out, logs bytes.Buffer
		code := run(append([]string{"replay", "../../examples/office/capture.pcap", "-q", "-s", script}, args...), nil, &out, &logs)
		if want := map[bool]int{true: exitDone, false: exitFinding}[len(args) > 0]; code != want {
			t.Fatalf("exit %d\n%s", code, &logs)
		}
		return out.String()
	}
	first := replay("--online")
	n := strings.Count(first, `"name":"answer"`)
	if n == 0 || n%2 != 0 || n != int(asked.Load()) || strings.Count(first, `"late":0`) != n || strings.Count(first, `"at":"127.0.0.1"`) != n/2 {
		t.Errorf("%d answers, %d requests\n%s", n, asked.Load(), first)
	}
	if again := replay("--online"); again != first {
		t.Errorf("another time:\n%s\nand:\n%s", first, again)
	}
	asked.Store(0)
	if off := replay(); asked.Load() != 0 || !strings.Contains(off, "no sockets are opened here") {
		t.Errorf("%d requests without --online\n%s", asked.Load(), off)
	}
}

// TestOnlineInterrupted ends a replay while a server takes its time.
func TestOnlineInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	defer srv.Close()
	dir := t.TempDir()
	script := filepath.Join(dir, "a.lua")
	writeFile(t, script, fmt.Sprintf(`rule "ask" { on = hookd.start, run = function() spawn(function() local _, why = http.get { url = %q } alert("asked", { why = why }) end) end }`, srv.URL))
	var out, logs bytes.Buffer
	root := newRoot()
	root.SetArgs([]string{"replay", "../../examples/office/capture.pcap", "--online", "-s", script})
	root.SetOut(&out)
	root.SetErr(&logs)
	var ended *exitError
	if err := root.ExecuteContext(ctx); !errors.As(err, &ended) || ended.code != exitInterrupted || !strings.Contains(out.String(), `"why":"interrupted"`) {
		t.Errorf("%v\n%s%s", err, &out, &logs)
	}
}
