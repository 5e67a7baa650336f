package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookd/hookd/scripts"
)

// TestShippedScripts runs the specs of the Lua that ships.
func TestShippedScripts(t *testing.T) {
	var out, logs bytes.Buffer
	if code := run([]string{"test", "../../scripts"}, nil, &out, &logs); code != exitDone {
		t.Errorf("exit %d\n%s%s", code, &out, &logs)
	}
}

// TestShippedModules requires each module from a folder that has nothing else.
func TestShippedModules(t *testing.T) {
	for _, m := range scripts.Modules() {
		path := filepath.Join(t.TempDir(), "main.lua")
		text := `local m = require "` + m.Name + `" rule "x" { on = flow.conn_start, run = function() log.info(type(m)) end }`
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		var out, logs bytes.Buffer
		if code := run([]string{"check", path}, nil, &out, &logs); code != exitDone {
			t.Errorf("%s: exit %d\n%s%s", m.Name, code, &out, &logs)
		}
		if dir := filepath.Dir(m.Path); !strings.HasSuffix(dir, "/lib") {
			t.Errorf("%s is not where scripts beside it find it", m.Path)
		}
	}
}

// TestMosByItsOwnWords replays mOS's sample, required from elsewhere, over real traffic.
func TestMosByItsOwnWords(t *testing.T) {
	text, err := os.ReadFile("../../scripts/mos/midstat.lua")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "midstat.lua")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	var out, logs bytes.Buffer
	if code := run([]string{"replay", "../../examples/office/capture.pcap", "-s", path, "--check-native"}, nil, &out, &logs); code != exitDone {
		t.Fatalf("exit %d\n%s", code, &logs)
	}
	for _, word := range []string{`"name":"state"`, `"name":"ended"`, `"name":"data"`, `"name":"open"`} {
		if !strings.Contains(out.String(), word) {
			t.Errorf("no %s", word)
		}
	}
}
