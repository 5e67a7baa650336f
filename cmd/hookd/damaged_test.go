package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDamagedCapture checks that what stands before the damage is handled, that
// connections end and hookd.stop is raised all the same, and that the exit code
// and the message tell of it.
func TestDamagedCapture(t *testing.T) {
	whole, err := os.ReadFile("../../examples/office/capture.pcap")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cut.pcap")
	if err := os.WriteFile(path, whole[:len(whole)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	var out, logs bytes.Buffer
	code := run([]string{"replay", path, "--print", "flow.conn_end", "--print", "hookd.stop"}, nil, &out, &logs)
	if code != exitIO || !strings.Contains(logs.String(), "cut.pcap: offset ") {
		t.Errorf("exit %d\n%s", code, &logs)
	}
	for _, want := range []string{`"event":"flow.conn_end"`, `"event":"hookd.stop"`, `"reason":"error"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in\n%s", want, &out)
		}
	}
}

// TestSummary checks that the summary tells what was not handled and which
// limits were hit.
func TestSummary(t *testing.T) {
	script := filepath.Join(t.TempDir(), "loud.lua")
	const text = `rule "loud" { on = flow.conn_start, run = function() for i = 1, 1001 do log.debug("x") end end }`
	if err := os.WriteFile(script, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	var out, logs bytes.Buffer
	code := run([]string{"replay", "../../examples/office/capture.pcap", "-s", script}, nil, &out, &logs)
	if code != exitDone {
		t.Errorf("exit %d\n%s", code, &logs)
	}
	for _, want := range []string{"\nnot handled: 2 packets without IP\n", "\nlimits: 3004 log lines dropped\n"} {
		if !strings.Contains(logs.String(), want) {
			t.Errorf("no %q in\n%s", want, &logs)
		}
	}
}
