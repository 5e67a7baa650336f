package statedir_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/statedir"
)

func write(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

func load(t *testing.T, d *statedir.Dir, name string) (string, bool) {
	t.Helper()
	var text []byte
	found, err := d.Load(name, func(r io.Reader) (err error) {
		text, err = io.ReadAll(r)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text), found
}

func TestSaveAndLoad(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a", "state")
	d, err := statedir.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"blocked", "..", "a/b", ".", "ä %\x7f", strings.Repeat("/", 128), strings.Repeat("/", 127) + "x"}
	for _, name := range names {
		if _, found := load(t, d, name); found {
			t.Errorf("%q is there before it is saved", name)
		}
		for _, text := range []string{"first " + name, "second " + name} {
			if err := d.Save(name, write(text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range names {
		if text, found := load(t, d, name); !found || text != "second "+name {
			t.Errorf("%q: %q", name, text)
		}
	}
	entries, err := os.ReadDir(path)
	if err != nil || len(entries) != len(names) {
		t.Errorf("%d files for %d names: %v", len(entries), len(names), err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", e.Name(), info.Mode(), err)
		}
	}
}

// TestFailedSave checks that what could not be written leaves the old file and
// nothing else.
func TestFailedSave(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d, err := statedir.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Save("x", write("old")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	if err := d.Save("x", func(w io.Writer) error { return errors.Join(write("half")(w), broken) }); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if text, _ := load(t, d, "x"); text != "old" {
		t.Errorf("%q", text)
	}
	if err := d.SetAside("x"); err != nil {
		t.Fatal(err)
	}
	if err := d.SetAside("none"); err != nil {
		t.Errorf("set aside what is not there: %v", err)
	}
	if _, found := load(t, d, "x"); found {
		t.Error("set aside, and still there")
	}
	entries, err := os.ReadDir(path)
	if err != nil || len(entries) != 1 || entries[0].Name() != "x"+statedir.Suffix+statedir.Damaged {
		t.Errorf("%v, %v", entries, err)
	}
	if _, err := statedir.Open(filepath.Join(path, entries[0].Name())); err == nil {
		t.Error("a file is taken for a directory")
	}
}

// TestAbandoned checks that what a killed process left is removed, and what one may
// still be writing is not.
func TestAbandoned(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	for _, f := range []struct {
		name string
		age  time.Duration
	}{{".new-1", time.Hour}, {".new-2", time.Minute}, {"old.jsonl", time.Hour}} {
		name := filepath.Join(path, f.name)
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-f.age)
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := statedir.Open(path); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(path)
	if err != nil || len(left) != 2 || left[0].Name() != ".new-2" || left[1].Name() != "old.jsonl" {
		t.Errorf("left: %v, %v", left, err)
	}
}
