package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/trace"
)

var update = flag.Bool("update", false, "write golden files")

// examples lists the folders of examples.
func examples(t *testing.T) []string {
	t.Helper()
	dirs, err := filepath.Glob("../../examples/*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	return dirs
}

// TestExamples replays each example over its capture, compares what comes out
// with want.jsonl, and runs its specs.
func TestExamples(t *testing.T) {
	for _, dir := range examples(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			for _, name := range []string{"README.md", "main.lua", "main_spec.lua", "capture.pcap"} {
				if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
					t.Errorf("an example has a %s: %v", name, err)
				}
			}
			t.Chdir(dir)
			var out, logs bytes.Buffer
			if code := run([]string{"replay", "capture.pcap", "-s", "main.lua"}, nil, &out, &logs); code != exitDone {
				t.Fatalf("replay: exit %d\n%s", code, &logs)
			}
			if *update {
				if err := os.WriteFile("want.jsonl", out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile("want.jsonl")
			if err != nil {
				t.Fatal(err)
			}
			if len(want) == 0 {
				t.Error("the example shows nothing")
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(out.String(), "\n")); diff != "" {
				t.Error(diff)
			}
			out.Reset()
			if code := run([]string{"test", "."}, nil, &out, &logs); code != exitDone {
				t.Errorf("test: exit %d\n%s%s", code, &out, &logs)
			}
		})
	}
}

// TestCatalogueExamples loads the example of every event, method and function,
// replays the captures of the examples under it, and wants no error; and it
// wants each event's own hook points reached by some traffic.
func TestCatalogueExamples(t *testing.T) {
	captures, err := filepath.Glob("../../examples/*/capture.pcap")
	if err != nil || len(captures) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	for name, example := range catalogueExamples() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var logs bytes.Buffer
			h := newHouse(engineOptions{}, false, &logs, &logs)
			defer h.engine.Close()
			_, diags := h.engine.Apply([]engine.Source{{Path: "example.lua", Text: []byte(example)}})
			if len(diags) > 0 {
				t.Fatalf("%v\n%s", diags, example)
			}
			src, err := openMerged(captures, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			if _, err := h.feed(src); err != nil {
				t.Fatal(err)
			}
			if n := h.engine.Stats().Errors; n > 0 {
				t.Errorf("%d errors:\n%s", n, &logs)
			}
			if strings.HasPrefix(name, "event flow.") && h.engine.Stats().Events == 0 {
				t.Error("no traffic reached it")
			}
		})
	}
}

// catalogueExamples returns every example with the name of what it shows.
func catalogueExamples() map[string]string {
	all := map[string]string{}
	for _, f := range catalogue.All() {
		for _, e := range f.Events {
			all["event "+e.Name] = e.Example
		}
		for _, fn := range f.Functions {
			all["function "+fn.Name] = fn.Example
		}
		for _, v := range f.Values {
			all["value "+v.Name] = v.Example
		}
		for _, o := range f.Objects {
			for i := range o.Methods {
				all["method "+o.Name+":"+o.Methods[i].Name] = o.Methods[i].Example
			}
		}
	}
	return all
}

// TestRecordsAreStable checks that two replays of the same input give the same
// bytes.
func TestRecordsAreStable(t *testing.T) {
	replay := func() string {
		var out, logs bytes.Buffer
		args := []string{"replay", "../../examples/office/capture.pcap", "../../examples/rexmit-scope/capture.pcap", "-s", "../../examples", "--print", "*.*"}
		if code := run(args, nil, &out, &logs); code != exitDone {
			t.Fatalf("exit %d\n%s", code, &logs)
		}
		return out.String()
	}
	first := replay()
	if !strings.HasPrefix(first, `{"v":1,"ts":`) || strings.Count(first, "\n") < 100 {
		t.Fatalf("records (v%d): %.200s", trace.Version, first)
	}
	if first != replay() {
		t.Error("the same input gave other bytes")
	}
}
