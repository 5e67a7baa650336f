package packet_test

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/pcapgo"
)

// corporaDir returns the directory of the captures made by others, and skips the test without it.
func corporaDir(t testing.TB) string {
	dir := os.Getenv("HOOKD_CORPORA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "corpora", "public")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("corpora absent: set HOOKD_CORPORA (%v)", err)
	}
	return dir
}

// eachFrame reads the captures below dir that gopacket can read, and returns how many those were.
func eachFrame(t testing.TB, dir string, fn func(path string, n int, link uint16, data []byte, wireLen int)) (files int) {
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		if readFrames(t, path, func(n int, link uint16, data []byte, wireLen int) { fn(rel, n, link, data, wireLen) }) {
			files++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

type frameReader interface {
	ZeroCopyReadPacketData() ([]byte, gopacket.CaptureInfo, error)
}

// readFrames reads one capture up to its first error; false if it is none.
func readFrames(t testing.TB, path string, fn func(n int, link uint16, data []byte, wireLen int)) bool {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r frameReader
	link := func(gopacket.CaptureInfo) uint16 { return 0 }
	if pr, err := pcapgo.NewReader(bufio.NewReader(f)); err == nil {
		l := uint16(pr.LinkType())
		r, link = pr, func(gopacket.CaptureInfo) uint16 { return l }
	} else {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		ng, err := pcapgo.NewNgReader(bufio.NewReader(f), pcapgo.NgReaderOptions{WantMixedLinkType: true})
		if err != nil {
			return false
		}
		r, link = ng, func(ci gopacket.CaptureInfo) uint16 {
			i, err := ng.Interface(ci.InterfaceIndex)
			if err != nil {
				t.Fatal(err)
			}
			return uint16(i.LinkType)
		}
	}
	for n := 1; ; n++ {
		data, ci, err := r.ZeroCopyReadPacketData()
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Logf("%s: frame %d: %v", path, n, err)
			}
			return true
		}
		fn(n, link(ci), data, ci.Length)
	}
}
