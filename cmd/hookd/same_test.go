package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/compare"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/explain"
)

// sameCaptures have what makes order matter: many connections at once, packets
// at the same moment, fragments, ICMP errors, UDP, long pauses.
var sameCaptures = [][]string{
	{"../../examples/office/capture.pcap"},
	{"pcap/suricata-verify/output-multi-eve__input.pcap"},
	{"pcap/mercury/test__data__top_100_fingerprints.pcap"},
	{"pcap/zeek/ftp__bruteforce.pcap"},
	{"pcap/suricata-verify/bug-4663-03__icmp_and_ssh.pcap"},
	{"pcap/zeek/redis__attr.pcap", "pcap/zeek/redis__attr.pcap"},
}

// TestSame replays captures by batches of 1, 7 and 64 packets and over 1, 2, 4 and
// 7 shards: all that comes out is the same, byte for byte. Few connections are
// kept, so that some are evicted.
func TestSame(t *testing.T) {
	dir := corpora(t)
	for _, names := range sameCaptures {
		var paths []string
		for _, name := range names {
			if filepath.Dir(name) != "../../examples/office" {
				name = filepath.Join(dir, name)
			}
			paths = append(paths, name)
		}
		for _, flags := range [][]string{nil, {"--flow", "max_conns=5"}, {"--verdicts", "apply", "--flow", "pick_up"}} {
			t.Run(fmt.Sprint(filepath.Base(names[0]), flags), func(t *testing.T) {
				t.Parallel()
				want := replayed(t, paths, append([]string{"--shards", "1", "--batch", "64"}, flags...))
				if bytes.Count(want, []byte("\n")) < 10 {
					t.Fatalf("hardly anything happens:\n%s", want)
				}
				for _, how := range [][2]string{{"1", "1"}, {"1", "7"}, {"2", "7"}, {"4", "1"}, {"7", "64"}} {
					got := replayed(t, paths, append([]string{"--shards", how[0], "--batch", how[1]}, flags...))
					if a, b := differ(want, got); a != b {
						t.Fatalf("%s shards, batches of %s:\n- %s\n+ %s", how[0], how[1], a, b)
					}
				}
			})
		}
	}
}

// differ returns the first lines in which two texts differ.
func differ(a, b []byte) (string, string) {
	x, y := bytes.Split(a, []byte("\n")), bytes.Split(b, []byte("\n"))
	for i := range min(len(x), len(y)) {
		if !bytes.Equal(x[i], y[i]) {
			return string(x[i]), string(y[i])
		}
	}
	return fmt.Sprint(len(x), " lines"), fmt.Sprint(len(y), " lines")
}

// replayed returns all that a replay writes.
func replayed(t *testing.T, captures, flags []string) []byte {
	t.Helper()
	for _, path := range captures {
		if _, err := os.Stat(path); err != nil {
			t.Fatal(err)
		}
	}
	args := append(append([]string{"replay"}, captures...), "-s", "testdata/same/rules.lua", "--print", "flow.*_end", "--print", "flow.udp_start", "--print", "flow.gap", "--print", "flow.error", "--limit", "log_lines=40")
	var out, logs bytes.Buffer
	if code := run(append(args, flags...), nil, &out, &logs); code != exitDone && code != exitFinding {
		t.Fatalf("exit %d:\n%s", code, &logs)
	}
	return append(append(out.Bytes(), "--\n"...), logs.Bytes()...)
}

// TestSameSecrets replays a script that tells of what is made of keys, twice.
func TestSameSecrets(t *testing.T) {
	t.Parallel()
	script := filepath.Join(t.TempDir(), "keys.lua")
	const rules = `rule "ask" { on = sip.request_in, run = function(tx, m)
  local c = digest.challenge { realm = "x" }
  alert("asked", { with = c })
  return sip.reply(401, "Unauthorized", c)
end }
rule "answer" { on = sip.response_in, run = function(tx, m)
  alert("answered", { with = digest.answer { message = m, user = "a", password = "b", method = "INVITE", uri = "sip:b" } })
end }`
	if err := os.WriteFile(script, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	var outputs [2]bytes.Buffer
	for i := range outputs {
		if code := run([]string{"replay", "../../examples/sip-calls/capture.pcap", "-s", script}, nil, &outputs[i], t.Output()); code != exitDone {
			t.Fatalf("exit %d", code)
		}
	}
	if a, b := differ(outputs[0].Bytes(), outputs[1].Bytes()); a != b {
		t.Errorf("- %s\n+ %s", a, b)
	}
	if n := bytes.Count(outputs[0].Bytes(), []byte("nonce=")); n < 10 {
		t.Errorf("%d nonces:\n%s", n, &outputs[0])
	}
}

// TestSameFromAPipe replays a capture that is a file, whose bytes streams note, and the same from a pipe, of
// which they are copied: with small buffers too.
func TestSameFromAPipe(t *testing.T) {
	for _, flags := range [][]string{nil, {"--flow", "buffer_side=8KiB", "--shards", "3"}, {"--flow", "buffer_total=40KiB"}} {
		t.Run(fmt.Sprint(flags), func(t *testing.T) {
			t.Parallel()
			path := "../../examples/office/capture.pcap"
			args := append([]string{"-s", "testdata/same/rules.lua", "--print", "flow.*_end", "--print", "flow.error", "-q"}, flags...)
			replay := func(from string, stdin io.Reader) *bytes.Buffer {
				var out, logs bytes.Buffer
				if code := run(append([]string{"replay", from}, args...), stdin, &out, &logs); code != exitDone {
					t.Fatalf("exit %d:\n%s", code, &logs)
				}
				out.Write(logs.Bytes())
				return &out
			}
			file := replay(path, nil)
			from, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer from.Close()
			pipe := replay("-", io.MultiReader(from))
			if a, b := differ(file.Bytes(), pipe.Bytes()); a != b {
				t.Errorf("- %s\n+ %s", a, b)
			}
			if !bytes.Contains(file.Bytes(), []byte("conn_end")) {
				t.Errorf("hardly anything happens:\n%s", file)
			}
		})
	}
}

// TestLanesFromAPipe compares and explains what a file has, of which both lanes note the streams' bytes, and the same
// from a pipe.
func TestLanesFromAPipe(t *testing.T) {
	t.Parallel()
	const path = "../../examples/office/capture.pcap"
	other := filepath.Join(t.TempDir(), "other.lua")
	const otherRule = `rule "read" { on = flow.conn_end, run = function(c) alert("read", { got = c.server.sent:peek(4000) or "" }) end }`
	if err := os.WriteFile(other, []byte(otherRule), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"diff":    {"--old", "testdata/same/rules.lua", "--new", other},
		"explain": {"-s", other, "--conn", "1", "--conn", "2", "--conn", "3", "--all"},
	} {
		var outputs [2]bytes.Buffer
		for i, from := range []string{path, "-"} {
			var stdin io.Reader
			if from == "-" {
				f, err := os.Open(path)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				stdin = io.MultiReader(f)
			}
			var logs bytes.Buffer
			if code := run(append([]string{name, from}, args...), stdin, &outputs[i], &logs); code > exitFinding {
				t.Fatalf("%s: exit %d:\n%s", name, code, &logs)
			}
		}
		if a, b := differ(outputs[0].Bytes(), outputs[1].Bytes()); a != b {
			t.Errorf("%s:\n- %s\n+ %s", name, a, b)
		}
		if !bytes.Contains(outputs[0].Bytes(), []byte("read")) {
			t.Errorf("%s: hardly anything happens:\n%s", name, &outputs[0])
		}
	}
}

// forgetful is captures whose bytes are gone when they are read again.
type forgetful struct{ *merged }

func (f forgetful) ReadAt([]byte, int64) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestBytesThatAreGone reads streams of a capture that cannot be read again: that is an error of the replay.
func TestBytesThatAreGone(t *testing.T) {
	t.Parallel()
	var logs bytes.Buffer
	h := newHouse(engineOptions{}, false, &logs, &logs)
	defer h.engine.Close()
	const script = `rule "read" { on = flow.conn_end, run = function(c) c:tag("has" .. #(c.server.sent:peek() or "")) end }`
	if _, diags := h.engine.Apply([]engine.Source{{Path: "read.lua", Text: []byte(script)}}); len(diags) > 0 {
		t.Fatal(diags)
	}
	src, err := openMerged(t.Context(), []string{"../../examples/office/capture.pcap"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	stats, err := h.feed(forgetful{src}, newInterrupt(t.Context()))
	if stats.Unread == 0 || err == nil || !strings.Contains(err.Error(), "could not be read again") {
		t.Errorf("%d bytes unread, %v", stats.Unread, err)
	}
	if n := h.engine.Stats().Errors; n > 0 {
		t.Errorf("%d errors:\n%s", n, &logs)
	}
}

// TestLanesNotePlaces compares and explains a capture whose streams cannot be read again: lanes keep no copies of
// them, and say so.
func TestLanesNotePlaces(t *testing.T) {
	t.Parallel()
	script := filepath.Join(t.TempDir(), "read.lua")
	if err := os.WriteFile(script, []byte(`rule "read" { on = flow.conn_end, run = function(c) c.server.sent:peek() end }`), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded := func(sink engine.Sink) *lane {
		l, err := newLane(t.Output(), &houseOptions{}, []string{script}, sink)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(l.engine.Close)
		return l
	}
	captures := func() forgetful {
		src, err := openMerged(t.Context(), []string{"../../examples/office/capture.pcap"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = src.Close() })
		return forgetful{src}
	}
	both := compare.New(catalogue.New(catalogue.All()...), ends)
	_, diffErr := feedLanes(captures(), [2]*lane{loaded(both.Old), loaded(both.New)}, both, &compare.Text{W: io.Discard})
	explainErr := feedLane(captures(), loaded(explain.New(func(event.Kept) bool { return true }, describeConn)))
	for name, err := range map[string]error{"diff": diffErr, "explain": explainErr} {
		if err == nil || !strings.Contains(err.Error(), "could not be read again") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
