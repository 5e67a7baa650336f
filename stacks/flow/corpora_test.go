package flow_test

import (
	"bytes"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/hookd/hookd/stacks/flow/capture"
)

// TestCorporaInvariants runs every capture, the broken ones too, with all settings:
// what is true of the events of any input holds, and a second run brings the same events.
func TestCorporaInvariants(t *testing.T) {
	t.Parallel()
	var files, events int
	err := filepath.WalkDir(filepath.Join(corporaDir(t), "pcap"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		for _, how := range settings {
			var logs [2][]byte
			for i := range logs {
				k, s := newChecker(t, how)
				eachFrame(t, path, func(f *capture.Frame) { s.Frame(uint16(f.Link), f.Data, f.WireLen, f.TS) })
				k.done(s)
				logs[i] = k.log
			}
			if !bytes.Equal(logs[0], logs[1]) {
				t.Errorf("%s: two runs differ", path)
			}
			events += bytes.Count(logs[0], []byte("\n"))
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
