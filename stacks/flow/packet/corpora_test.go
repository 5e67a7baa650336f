package packet_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/hookd/hookd/stacks/flow/capture"
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

// eachFrame reads the captures below dir, each up to its end or first error, and returns how many
// those were.
func eachFrame(t testing.TB, dir string, fn func(path string, n int, f *capture.Frame)) (files int) {
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		r, err := capture.Open(path)
		var bad *capture.FormatError
		switch {
		case errors.As(err, &bad): // no capture
			return nil
		case err != nil:
			return err
		}
		defer r.Close()
		files++
		var f capture.Frame
		for n := 1; r.Next(&f) == nil; n++ {
			fn(rel, n, &f)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
