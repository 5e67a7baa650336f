package capture

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// names lists a directory.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func TestNgFileIsWholeOrNotThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "out.pcapng")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("out.pcapng", link); err != nil {
		t.Fatal(err)
	}
	f, err := CreateNg(link, "test")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.WriteFrame(f.AddInterface(LinkTypeRaw, ""), &Frame{Data: []byte("abc"), WireLen: 3, Link: LinkTypeRaw}, nil); err != nil {
		t.Fatal(err)
	}
	if old, err := os.ReadFile(path); string(old) != "old" || err != nil {
		t.Errorf("before the commit: %q, %v", old, err)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got Frame
	if err := r.Next(&got); err != nil || string(got.Data) != "abc" {
		t.Errorf("%q, %v", got.Data, err)
	}
	info, err := os.Lstat(link)
	if err != nil || info.Mode().Type() != os.ModeSymlink {
		t.Errorf("the link is %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if f, err = CreateNg(filepath.Join(dir, "no.pcapng"), "test"); err != nil {
		t.Fatal(err)
	}
	if err := f.Discard(); err != nil {
		t.Error(err)
	}
	if list := names(t, dir); len(list) != 2 {
		t.Errorf("left over: %v", list)
	}
	for _, bad := range []string{dir, filepath.Join(dir, "none", "x"), filepath.Join(path, "x")} {
		if _, err := CreateNg(bad, ""); err == nil {
			t.Errorf("%s was created", bad)
		}
	}
}

// TestNgFileOnAFullDisk writes to a device without room, which stays.
func TestNgFileOnAFullDisk(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full")
	}
	f, err := CreateNg("/dev/full", "test")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Error(err)
	}
}

func TestInterruptible(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	in, err := Interruptible(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteString("abc"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 8)
	if n, err := in.Read(b); err != nil || string(b[:n]) != "abc" {
		t.Errorf("%q, %v", b[:n], err)
	}
	time.AfterFunc(20*time.Millisecond, cancel)
	if n, err := in.Read(b); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d, %v", n, err)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
}
