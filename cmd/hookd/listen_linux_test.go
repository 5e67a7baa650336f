package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hookd/hookd/stacks/loop"
)

// TestDaemonListens is a daemon without packets: it serves, tells of what it serves, is
// told by hand, and ends in order, on one shard and on two.
func TestDaemonListens(t *testing.T) {
	for _, shards := range []string{"1", "2"} {
		t.Run(shards, func(t *testing.T) { daemonListens(t, shards) })
	}
}

func daemonListens(t *testing.T, shards string) {
	dir := t.TempDir()
	script := filepath.Join(dir, "a.lua")
	writeFile(t, script, `loop.listen "echo" { url = "tcp://127.0.0.1:0" }
rule "echo" { on = loop.recv, match = { listener = "echo" }, run = function(c) c:tag "spoke" c:send(c:take()) end }
rule "end" { on = loop.close, match = { kind = "tcp" }, run = function(c, why) alert("closed", { why = this.reason }) end }
`)
	p := start(t, dir, script, "--shards", shards)
	st := p.until(func(st *status) bool { return len(st.Listeners) == 1 })
	at := st.Listeners[0].Addr
	var conns []net.Conn
	for range 4 {
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		if _, err := io.WriteString(c, "hello"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	p.until(func(st *status) bool { return st.LoopConns == 4 && st.Listeners[0].Conns == 4 })
	var list struct {
		Conns   []loop.ConnView
		Matched int
	}
	text, err := p.client.Get(t.Context(), "/loop/conns?where=tags=spoke&where=listener=echo&where=kind=tcp")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &list); err != nil || list.Matched != 4 || len(list.Conns) != 4 {
		t.Fatalf("%s, %v", text, err)
	}
	ask := func(input string, args ...string) string {
		var out bytes.Buffer
		if code := run(append(args, "--control", p.socket), strings.NewReader(input), &out, &out); code != exitDone {
			t.Errorf("%s: exit %d\n%s", args, code, &out)
		}
		return out.String()
	}
	if out := ask("", "conns", "--loop", "listener=echo", "kind=tcp"); strings.Count(out, "spoke") != 4 {
		t.Errorf("conns:\n%s", out)
	}
	if out := ask("", "status"); !strings.Contains(out, "listener echo: tcp://127.0.0.1:0 at "+at+", 4 connections") {
		t.Errorf("status:\n%s", out)
	}
	if text, err := p.client.Get(t.Context(), "/metrics"); err != nil || !strings.Contains(string(text), "hookd_loop_conns 4\n") || !strings.Contains(string(text), "hookd_loop_accepted_total 4\n") {
		t.Errorf("metrics: %v\n%s", err, text)
	}
	if shards == "1" {
		if out := ask("for _, c in ipairs(loop.conns { kind = \"tcp\" }) do c:send \"by hand\" end return #loop.conns()\n", "console"); !strings.Contains(out, "4") {
			t.Errorf("console:\n%s", out)
		}
		for _, c := range conns {
			if _, err := io.ReadFull(c, make([]byte, 7)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for _, c := range conns {
		if b, err := io.ReadAll(c); err != nil || len(b) > 0 {
			t.Errorf("at the end: %q, %v", b, err)
		}
		_ = c.Close()
	}
	p.ended = true
	if err := p.cmd.Wait(); err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", at); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("afterwards: %v, %v", c, err)
	}
	logs, err := os.ReadFile(p.records)
	if n := bytes.Count(logs, []byte(`"why":"stopped"`)); n != 4 {
		t.Errorf("%d connections told of their end, %v\n%s", n, err, logs)
	}
}
