package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hookd/hookd/engine/control"
)

// await is a command of test scripts: it waits until the daemon at a control
// socket has a status with all given fields, NAME=VALUE or NAME>=NUMBER.
//
//	await c.sock generation=2 stale=false
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: await SOCKET NAME=VALUE...")
	}
	c := control.NewClient(ts.MkAbs(args[0]))
	defer c.Close()
	var last string
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		text, err := c.Get(context.Background(), "/status")
		if err != nil {
			last = err.Error()
			continue
		}
		last = string(text)
		var st map[string]any
		if err := json.Unmarshal(text, &st); err != nil {
			ts.Fatalf("status: %v", err)
		}
		if has(st, args[1:]) {
			return
		}
	}
	ts.Fatalf("%s: never %s; at last: %s", args[0], strings.Join(args[1:], " "), last)
}

func has(st map[string]any, wanted []string) bool {
	for _, w := range wanted {
		if name, least, ok := strings.Cut(w, ">="); ok {
			n, _ := st[name].(float64)
			if want, err := strconv.ParseFloat(least, 64); err != nil || n < want {
				return false
			}
			continue
		}
		name, value, _ := strings.Cut(w, "=")
		if fmt.Sprint(st[name]) != value {
			return false
		}
	}
	return true
}

// writeFile replaces a file in one step.
func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name+"~", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+"~", name); err != nil {
		t.Fatal(err)
	}
}
