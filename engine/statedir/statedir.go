// Package statedir keeps what survives a restart: a directory with a file for
// each name. A file is replaced in one step, so that a crash leaves the old one
// or the new one and never a part.
//
// A Dir may be used from any goroutine; two that write the same name at a time
// leave one of the two.
package statedir

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// Suffix ends the names of the files.
const Suffix = ".jsonl"

// Damaged ends, behind Suffix, the name of a file that could not be read and was
// set aside.
const Damaged = ".damaged"

// maxName is how long a file's name may be before it is a digest instead: file
// systems take 255 bytes.
const maxName = 200

// Dir is a state directory.
type Dir struct{ path string }

// unfinished begins the names of files that are being written.
const unfinished = ".new-"

// abandonedAfter is how old such a file is when its writer is taken to be gone:
// another process may use the directory too.
const abandonedAfter = 10 * time.Minute

// Open returns the directory, made if it is not there, for its owner alone. What
// processes left there that were killed while they wrote is removed.
func Open(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("statedir: make directory: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("statedir: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("statedir: %s is no directory", path)
	}
	abandoned, err := filepath.Glob(filepath.Join(path, unfinished+"*"))
	if err != nil {
		abandoned = nil // a path with the signs of patterns
	}
	for _, name := range abandoned {
		if info, err := os.Stat(name); err == nil && time.Since(info.ModTime()) > abandonedAfter {
			os.Remove(name)
		}
	}
	return &Dir{path}, nil
}

// Path returns the path of a name's file.
func (d *Dir) Path(name string) string {
	base := url.PathEscape(name)
	if len(base) > maxName {
		sum := sha256.Sum256([]byte(name))
		base = "sha256-" + hex.EncodeToString(sum[:])
	}
	return filepath.Join(d.path, base+Suffix)
}

// Load hands the file of a name to read; found is false if there is none.
func (d *Dir) Load(name string, read func(io.Reader) error) (found bool, err error) {
	f, err := os.Open(d.Path(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("statedir: %w", err)
	}
	defer f.Close()
	return true, read(f)
}

// Save replaces the file of a name with what write writes. After an error the
// old file is there, unless the error is about syncing the directory.
func (d *Dir) Save(name string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(d.path, unfinished+"*")
	if err != nil {
		return fmt.Errorf("statedir: make file: %w", err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("statedir: sync: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("statedir: close: %w", err)
	}
	if err := os.Rename(f.Name(), d.Path(name)); err != nil {
		return fmt.Errorf("statedir: replace: %w", err)
	}
	return d.sync()
}

// sync makes renames last.
func (d *Dir) sync() error {
	dir, err := os.Open(d.path)
	if err != nil {
		return fmt.Errorf("statedir: %w", err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("statedir: sync directory: %w", err)
	}
	return nil
}

// SetAside renames the file of a name, so that the next Save leaves it for a
// person to look at. There need be none.
func (d *Dir) SetAside(name string) error {
	err := os.Rename(d.Path(name), d.Path(name)+Damaged)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("statedir: set aside: %w", err)
	}
	return nil
}
