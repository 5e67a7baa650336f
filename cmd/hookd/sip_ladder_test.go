package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/stacks/sip/ladder"
)

// golden compares a text with the file that holds what it should be.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

// TestLadders draws the calls of the example: wide, in plain characters, and as a list
// where there is no room.
func TestLadders(t *testing.T) {
	t.Setenv("LC_ALL", "C.UTF-8")
	var out bytes.Buffer
	for _, args := range [][]string{
		{"--call-id", "carol@192.0.2.1"},
		{"--ascii", "--width", "64", "--call-id", "bob*"},
		{"--width", "40", "--call-id", "[be]*"},
		{"--call-id", "erin@192.0.2.3", "--json", "--ports", "5080"},
	} {
		fmt.Fprintf(&out, "hookd sip ladder capture.pcap %s\n\n", strings.Join(args, " "))
		if code := run(append([]string{"sip", "ladder", "../../examples/sip-calls/capture.pcap"}, args...), nil, &out, &out); code != exitDone {
			t.Fatalf("exit %d\n%s", code, &out)
		}
		fmt.Fprintln(&out)
	}
	golden(t, "ladders.golden", out.String())
}

// TestMessagesOfCaptures compares the messages that are found in captures by others with
// those that tshark found, one by one.
func TestMessagesOfCaptures(t *testing.T) {
	t.Parallel()
	dir := corpora(t)
	truth := sipTruth(t, filepath.Join(dir, "truth", "app_sip.tsv"))
	if len(truth) < 10 {
		t.Fatalf("%d captures with SIP", len(truth))
	}
	for name, want := range truth {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, logs bytes.Buffer
			args := []string{"sip", "ladder", filepath.Join(dir, name), "--json", "--flow", "pick_up"}
			if strings.Contains(name, "gtp") {
				args = append(args, "--flow", "decap=all")
			}
			// What names no call is in no ladder.
			if code := run(args, nil, &out, &logs); code != exitDone && len(want) != 0 {
				t.Fatalf("exit %d\n%s", code, &logs)
			}
			var got []string
			for line := range bytes.Lines(out.Bytes()) {
				var s ladder.Step
				if err := json.Unmarshal(line, &s); err != nil {
					t.Fatal(err)
				}
				method, code := s.Method, ""
				if s.Code != 0 {
					method, code = "", fmt.Sprint(s.Code)
				}
				got = append(got, fmt.Sprintf("%s %s %s %s %s", s.From, s.To, method, code, s.CallID))
			}
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// sipTruth reads what tshark found, by capture.
func sipTruth(t *testing.T, name string) map[string][]string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Skip("no truth about SIP: ", err)
	}
	defer f.Close()
	list := map[string][]string{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		c := strings.Split(lines.Text(), "\t")
		if strings.HasPrefix(c[0], "#") {
			continue
		}
		if c[11] == "" {
			list[c[0]] = append(list[c[0]], nil...)
			continue
		}
		from, to := c[3]+":"+c[4], c[5]+":"+c[6]
		if strings.Contains(c[3], ":") {
			from, to = "["+c[3]+"]:"+c[4], "["+c[5]+"]:"+c[6]
		}
		list[c[0]] = append(list[c[0]], strings.Join([]string{from, to, c[8], c[10], c[11]}, " "))
	}
	for _, rows := range list {
		slices.Sort(rows)
	}
	return list
}
