package main

import (
	"bytes"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/trace"
	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/packet"
	"github.com/hookd/hookd/stacks/flow/packet/packettest"
)

var update = flag.Bool("update", false, "write golden files")

// examples lists the folders of examples that run over a capture.
func examples(t *testing.T) []string {
	t.Helper()
	captures, err := filepath.Glob("../../examples/*/capture.pcap")
	if err != nil || len(captures) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	var dirs []string
	for _, c := range captures {
		dirs = append(dirs, filepath.Dir(c))
	}
	return dirs
}

// serves reports whether an example is of servers, which has no capture: it is checked
// here, and served in a test of its own.
func serves(t *testing.T, dir string) bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "main.lua"))
	if err != nil || !bytes.Contains(text, []byte("loop.listen")) && !bytes.Contains(text, []byte("sip.listen")) {
		return false
	}
	var out, logs bytes.Buffer
	if code := run([]string{"check", dir}, nil, &out, &logs); code != exitDone {
		t.Errorf("check: exit %d\n%s%s", code, &out, &logs)
	}
	if _, err := os.Stat(filepath.Join(dir, "README.md")); err != nil {
		t.Error(err)
	}
	return true
}

// TestExamples replays each example over its capture, with the flags in the file of that name, compares
// what comes out with want.jsonl, and runs its specs.
func TestExamples(t *testing.T) {
	for _, dir := range examples(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			if serves(t, dir) {
				return
			}
			for _, name := range []string{"README.md", "main.lua", "main_spec.lua", "capture.pcap"} {
				if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
					t.Errorf("an example has a %s: %v", name, err)
				}
			}
			t.Chdir(dir)
			var out, logs bytes.Buffer
			args := []string{"replay", "capture.pcap", "-s", "main.lua"}
			if flags, err := os.ReadFile("flags"); err == nil {
				args = append(args, strings.Fields(string(flags))...)
			}
			if code := run(args, nil, &out, &logs); code != exitDone {
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
	captures = append(captures, troubles(t))
	for name, example := range catalogueExamples() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var logs bytes.Buffer
			h := newHouse(engineOptions{checkNative: true}, false, &logs, &logs)
			defer h.engine.Close()
			h.stack.PickUp = name == "event flow.conn_adopted"
			_, diags := h.engine.Apply([]engine.Source{{Path: "example.lua", Text: []byte(example)}})
			if len(diags) > 0 {
				t.Fatalf("%v\n%s", diags, example)
			}
			src, err := openMerged(t.Context(), captures, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			if _, err := h.feed(src, newInterrupt(t.Context())); err != nil {
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

// troubles writes a capture of what ordinary ones do not have: a lost segment, one outside the window,
// and a packet of a connection that began before.
func troubles(t *testing.T) string {
	t.Helper()
	var file bytes.Buffer
	w, err := capture.NewWriter(&file, capture.LinkTypeEthernet, true)
	if err != nil {
		t.Fatal(err)
	}
	client, server := netip.MustParseAddrPort("10.0.0.9:40000"), netip.MustParseAddrPort("10.0.0.2:80")
	ts := int64(1_700_000_000e9)
	write := func(from, to netip.AddrPort, seq, ack uint32, flags packet.Flags, payload string) {
		f := packettest.TCP(from, to, seq, ack, flags, payload)
		ts += 50e6
		if err := w.WriteFrame(&capture.Frame{TS: ts, Link: capture.LinkTypeEthernet, Data: f, WireLen: len(f)}); err != nil {
			t.Fatal(err)
		}
	}
	write(client, server, 0, 0, packet.SYN, "")
	write(server, client, 0, 1, packet.SYN|packet.ACK, "")
	write(client, server, 4, 1, packet.ACK, "second")
	write(server, client, 1, 10, packet.ACK, "")
	write(client, server, 10, 1, packet.ACK, "third")
	write(client, server, 10_000_000, 1, packet.ACK, "far")
	write(client, netip.MustParseAddrPort("10.0.0.3:80"), 77, 88, packet.ACK, "late")
	path := filepath.Join(t.TempDir(), "troubles.pcap")
	if err := os.WriteFile(path, file.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
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
