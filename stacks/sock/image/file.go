package image

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// NewID returns an id that no other image has.
func NewID() (id ID) {
	_, _ = rand.Read(id[:]) // never fails
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id
}

// WriteFile writes an image to a file that does not exist yet, for its owner alone.
// The file is there whole or not at all, also after a crash; with durable also after
// a loss of power, which takes milliseconds.
func WriteFile(path string, m *Image, durable bool) error {
	if err := WritePending(path, m, durable); err != nil {
		return err
	}
	return Confirm(path)
}

// WritePending writes the file of [WriteFile] under the name path.pending: whole, but
// nothing to restore, because the connection still lives. [Confirm] or [Discard] follows.
func WritePending(path string, m *Image, durable bool) (err error) {
	for _, name := range []string{path, path + restoring, path + done} {
		if exists(name) {
			return fmt.Errorf("image: write %s: %w", name, fs.ErrExist)
		}
	}
	f, err := os.OpenFile(path+pending, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("image: write: %w", err)
	}
	_, err = m.WriteTo(f)
	if err == nil && durable {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(path + pending)
		return fmt.Errorf("image: write %s: %w", path, err)
	}
	if durable {
		return syncDir(filepath.Dir(path))
	}
	return nil
}

// Confirm says that the connection is gone: from now on the image is what there is of
// it. A file that came meanwhile is not replaced. Confirming twice is once.
func Confirm(path string) error {
	err := os.Link(path+pending, path)
	if errors.Is(err, fs.ErrNotExist) && exists(path) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("image: confirm: %w", err)
	}
	if err := os.Remove(path + pending); err != nil {
		return fmt.Errorf("image: confirm: %w", err)
	}
	return nil
}

// Discard takes a pending image away: the connection lives on.
func Discard(path string) error {
	if err := os.Remove(path + pending); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("image: discard: %w", err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("image: write: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("image: write directory %s: %w", dir, err)
	}
	return nil
}

// ReadFile reads an image without claiming it.
func ReadFile(path string) (*Image, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("image: read: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > 2*MaxQueue+maxSections*maxSmall {
		return nil, fmt.Errorf("image: read %s: %w", path, ErrFormat)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("image: read: %w", err)
	}
	m, err := Decode(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, path)
	}
	return m, nil
}

// What a file is called before its connection is gone, while it is restored, and
// afterwards.
const (
	pending   = ".pending"
	restoring = ".restoring"
	done      = ".done"
)

// Claimed is an image that only its holder may restore.
type Claimed struct {
	*Image
	path string
	file *os.File // locked as long as its holder lives
}

// Claim takes an image for a restore: its file is called .restoring from now on.
// Who comes second gets [ErrClaimed]: two restores of one connection ruin both. A
// damaged image is not claimed. The claim of a process that died in the middle of its
// restore is taken over: the socket that it had begun went silently with it.
func Claim(path string) (*Claimed, error) {
	m, err := ReadFile(path)
	switch {
	case err == nil:
		err = os.Link(path, path+restoring)
		if err == nil {
			err = os.Remove(path)
		}
		if err != nil && (errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist)) {
			err = ErrClaimed
		}
	case errors.Is(err, fs.ErrNotExist) && exists(path+restoring):
		m, err = ReadFile(path + restoring)
	case errors.Is(err, fs.ErrNotExist) && exists(path+done):
		err = ErrClaimed
	default:
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("image: claim %s: %w", path, err)
	}
	f, err := os.Open(path + restoring)
	if err != nil {
		return nil, fmt.Errorf("image: claim %s: %w: %w", path, ErrClaimed, err)
	}
	if err := lockFile(f); err != nil || !named(f, path+restoring) {
		return nil, errors.Join(fmt.Errorf("image: claim %s: %w", path, ErrClaimed), f.Close())
	}
	return &Claimed{Image: m, path: path, file: f}, nil
}

// named reports whether a file still has a name: who held it may have been done in the
// moment before it was locked.
func named(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Lstat(path)
	return err == nil && os.SameFile(a, b)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Done says that the connection lives: the image is good for nothing any more, and is
// called .done.
func (c *Claimed) Done() error {
	defer c.file.Close()
	if err := os.Rename(c.path+restoring, c.path+done); err != nil {
		return fmt.Errorf("image: done: %w", err)
	}
	return nil
}

// Release gives the image back after a restore that failed.
func (c *Claimed) Release() error {
	defer c.file.Close()
	if err := os.Link(c.path+restoring, c.path); err != nil {
		return fmt.Errorf("image: release: %w", err)
	}
	if err := os.Remove(c.path + restoring); err != nil {
		return fmt.Errorf("image: release: %w", err)
	}
	return nil
}
