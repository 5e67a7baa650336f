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
func WriteFile(path string, m *Image, durable bool) (err error) {
	for _, name := range []string{path, path + restoring, path + done} {
		if _, err := os.Lstat(name); err == nil {
			return fmt.Errorf("image: write %s: %w", name, fs.ErrExist)
		}
	}
	tmp := fmt.Sprintf("%s.%x.tmp", path, m.ID[:4])
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("image: write: %w", err)
	}
	defer os.Remove(tmp)
	_, err = m.WriteTo(f)
	if err == nil && durable {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("image: write %s: %w", path, err)
	}
	// Unlike a rename, a link does not replace a file that came meanwhile.
	if err := os.Link(tmp, path); err != nil {
		return fmt.Errorf("image: write: %w", err)
	}
	if durable {
		return syncDir(filepath.Dir(path))
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

// What a file is called while it is restored, and afterwards.
const (
	restoring = ".restoring"
	done      = ".done"
)

// Claimed is an image that only its holder may restore.
type Claimed struct {
	*Image
	path string
}

// Claim takes an image for a restore: its file is called .restoring from now on.
// Who comes second gets [ErrClaimed]: two restores of one connection ruin both. A
// damaged image is not claimed.
func Claim(path string) (*Claimed, error) {
	m, err := ReadFile(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) && (exists(path+restoring) || exists(path+done)) {
			return nil, fmt.Errorf("image: claim %s: %w", path, ErrClaimed)
		}
		return nil, err
	}
	if err := os.Link(path, path+restoring); err != nil {
		if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
			err = ErrClaimed
		}
		return nil, fmt.Errorf("image: claim %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil {
		return nil, fmt.Errorf("image: claim: %w", err)
	}
	return &Claimed{Image: m, path: path}, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Done says that the connection lives: the image is good for nothing any more, and is
// called .done.
func (c *Claimed) Done() error {
	if err := os.Rename(c.path+restoring, c.path+done); err != nil {
		return fmt.Errorf("image: done: %w", err)
	}
	return nil
}

// Release gives the image back after a restore that failed.
func (c *Claimed) Release() error {
	if err := os.Link(c.path+restoring, c.path); err != nil {
		return fmt.Errorf("image: release: %w", err)
	}
	if err := os.Remove(c.path + restoring); err != nil {
		return fmt.Errorf("image: release: %w", err)
	}
	return nil
}
