package filter

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// perCapture is how many packets of each capture are filtered, and headLen how
// many bytes of each are kept.
const (
	perCapture = 10
	headLen    = 300
)

// corporaSamples returns packets of the captures made by others, by their link
// types, and skips the test without these.
func corporaSamples(t *testing.T) map[uint16][]sample {
	t.Helper()
	dir := os.Getenv("HOOKD_CORPORA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "corpora", "public")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("corpora absent: set HOOKD_CORPORA (%v)", err)
	}
	samples, files := make(map[uint16][]sample), 0
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.Contains(e.Name(), "pcap") {
			return err
		}
		files++
		return readSamples(path, samples)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d captures", files)
	return samples
}

// readSamples adds packets from the beginning of a capture. One that cannot be
// read adds what it has.
func readSamples(path string, samples map[uint16][]sample) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	r, err := capture.NewReader(file, path)
	if err != nil {
		return nil
	}
	var f capture.Frame
	for range perCapture {
		if err := r.Next(&f); err != nil {
			return nil
		}
		if _, ok := layoutOf(uint16(f.Link)); ok {
			head := append([]byte(nil), f.Data[:min(len(f.Data), headLen)]...)
			s := sample{filepath.Base(path), head, max(f.WireLen, len(f.Data))}
			samples[uint16(f.Link)] = append(samples[uint16(f.Link)], s)
		}
	}
	return nil
}

// TestCorporaAgainstTcpdump compares with libpcap on packets of real networks,
// and of those who break parsers.
func TestCorporaAgainstTcpdump(t *testing.T) {
	needTcpdump(t)
	same := sameVersion(t)
	for link, samples := range corporaSamples(t) {
		if !same {
			samples = long(samples)
		}
		file := samplesFile(t, link, samples)
		selected := 0
		exprs := lines(t, linkFiltersFile)
		if link == packet.LinkEthernet {
			exprs = lines(t, filtersFile)
		}
		for _, expr := range few(exprs) {
			if same || !changedSince[expr] {
				selected += strings.Count(compareFilters(t, link, samples, file, expr), "1")
			}
		}
		t.Logf("%v: %d expressions, %d packets, %d times selected", capture.LinkType(link), len(exprs), len(samples), selected)
	}
}
