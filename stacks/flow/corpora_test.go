package flow_test

import (
	"bytes"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/hookd/hookd/stacks/flow"
	"github.com/hookd/hookd/stacks/flow/capture"
)

// TestCorporaInvariants runs every capture, the broken ones too, with all settings:
// what is true of the events of any input holds, a second run in which each segment goes the long way brings
// the same events, and one that nobody sees the same ends.
func TestCorporaInvariants(t *testing.T) {
	t.Parallel()
	var files, events int
	err := filepath.WalkDir(filepath.Join(corporaDir(t), "pcap"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		for _, how := range settings {
			run := func(s *flow.Stack) {
				eachFrame(t, path, func(f *capture.Frame) { s.Frame(uint16(f.Link), f.Data, f.WireLen, f.TS) })
			}
			k, s := newChecker(t, how)
			run(s)
			k.done(s)
			again, s := newChecker(t, how.applied())
			run(s)
			if again.done(s); !bytes.Equal(k.log, again.log) {
				t.Errorf("%s: two runs differ", path)
			}
			events += bytes.Count(k.log, []byte("\n"))
			if !how.rules && !how.streams {
				u, s := newUnseen(how)
				run(s)
				if s.Close(); !bytes.Equal(*u, k.ends) {
					t.Errorf("%s: connections end otherwise where nobody looks on", path)
				}
			}
			if t.Failed() {
				t.Fatalf("in %s with %+v", path, how)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 1000 || events < 200_000 {
		t.Errorf("%d files, %d events: too few", files, events)
	}
	t.Logf("%d files, %d events", files, events)
}
