package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree writes a module with declarations and returns its root.
func tree(t *testing.T, yaml string) string {
	t.Helper()
	dir := t.TempDir()
	events := filepath.Join(dir, "spec", "events")
	if err := os.MkdirAll(events, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(events, "a.yaml"), []byte(yaml), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

const tiny = `family: a
doc: It.
events:
  - {name: e, since: "0.1", when: Now., args: [], example: x()}
`

// generateIn runs the command on a tree and returns what it says.
func generateIn(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	var out, errs strings.Builder
	err := run(append([]string{"-root", dir}, args...), &out, &errs)
	return out.String() + errs.String(), err
}

func TestWriteAndCheck(t *testing.T) {
	t.Parallel()
	dir := tree(t, tiny)
	if _, err := generateIn(t, dir, "-check"); err == nil || !strings.Contains(err.Error(), "engine/event/aev/events_gen.go is missing") {
		t.Errorf("check of nothing: %v", err)
	}
	if out, err := generateIn(t, dir); err != nil || !strings.Contains(out, "files written") {
		t.Fatalf("first run: %q, %v", out, err)
	}
	if out, err := generateIn(t, dir); err != nil || out != "" {
		t.Errorf("second run: %q, %v", out, err)
	}
	if _, err := generateIn(t, dir, "-check"); err != nil {
		t.Errorf("check after writing: %v", err)
	}
	page := filepath.Join(dir, "spec", "reference", "a.md")
	if err := os.WriteFile(page, []byte("<!-- "+header+" -->\nedited\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := generateIn(t, dir, "-check"); err == nil || !strings.Contains(err.Error(), "spec/reference/a.md is stale") {
		t.Errorf("check of an edited page: %v", err)
	}
}

// What is generated no more goes; what a person wrote stays.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	dir := tree(t, tiny)
	if _, err := generateIn(t, dir); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(dir, "engine", "event", "aev", "old_gen.go")
	own := filepath.Join(dir, "engine", "event", "aev", "own.go")
	for path, text := range map[string]string{old: "// " + header + "\n\npackage aev\n", own: "package aev\n"} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := generateIn(t, dir, "-check"); err == nil || !strings.Contains(err.Error(), "old_gen.go is generated no more") {
		t.Errorf("check: %v", err)
	}
	if _, err := generateIn(t, dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("the stale file: %v", err)
	}
	if _, err := os.Stat(own); err != nil {
		t.Errorf("a person's file: %v", err)
	}
}

func TestGoNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][3]string{
		"tcp_state": {"TCPState", "tcpState", "tcpState"},
		"id":        {"ID", "id", "id"},
		"icmp6":     {"ICMP6", "icmp6", "icmp6"},
		"client_ip": {"ClientIP", "clientIP", "clientIP"},
		"log.info":  {"LogInfo", "logInfo", ""},
		"type":      {"Type", "type", "typeArg"},
		"time":      {"Time", "time", "timeArg"},
		"c":         {"C", "c", "cArg"},
	} {
		got := [3]string{goName(name), lowerName(strings.ReplaceAll(name, ".", "_")), ""}
		if !strings.Contains(name, ".") {
			got[2] = goLocal(name)
		}
		if got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
