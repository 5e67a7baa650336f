package capture

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// NgFile is a NgWriter on a file that is there whole or not at all: Commit puts it in its place,
// until when a file that was there before stays. What is no regular file, a device or a pipe, is
// written as it goes.
type NgFile struct {
	*NgWriter
	file *os.File
	out  *bufio.Writer
	path string // the name that Commit gives it; empty for what is written as it goes
}

// CreateNg begins a pcapng file at path.
func CreateNg(path, application string) (*NgFile, error) {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return nil, fmt.Errorf("capture: create %s: is a directory", path)
	case err == nil && !info.Mode().IsRegular():
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return nil, fmt.Errorf("capture: %w", err)
		}
		return startNg(&NgFile{file: file}, application)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("capture: %w", err)
	}
	if whole, err := filepath.EvalSymlinks(path); err == nil {
		path = whole // a link goes on pointing at the file
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".new-*")
	if err != nil {
		return nil, fmt.Errorf("capture: create file: %w", err)
	}
	mode := fs.FileMode(0o644)
	if info != nil {
		mode = info.Mode().Perm()
	}
	if err := file.Chmod(mode); err != nil {
		return nil, errors.Join(fmt.Errorf("capture: create file: %w", err), file.Close(), os.Remove(file.Name()))
	}
	return startNg(&NgFile{file: file, path: path}, application)
}

// startNg writes the header.
func startNg(f *NgFile, application string) (*NgFile, error) {
	f.out = bufio.NewWriterSize(f.file, 256<<10)
	w, err := NewNgWriter(f.out, application)
	if err != nil {
		return nil, errors.Join(err, f.Discard())
	}
	f.NgWriter = w
	return f, nil
}

// Commit writes out what is buffered and gives the file its name. After an error nothing is left of
// it. Nothing can be written afterwards.
func (f *NgFile) Commit() error {
	err := f.NgWriter.err
	if err == nil {
		err = f.out.Flush()
	}
	if err == nil && f.path != "" {
		err = f.file.Sync()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("capture: write file: %w", err), f.Discard())
	}
	if err := f.file.Close(); err != nil {
		return errors.Join(fmt.Errorf("capture: write file: %w", err), f.remove())
	}
	if f.path == "" {
		return nil
	}
	if err := os.Rename(f.file.Name(), f.path); err != nil {
		return errors.Join(fmt.Errorf("capture: name file: %w", err), f.remove())
	}
	return nil
}

// Discard takes the file away instead.
func (f *NgFile) Discard() error {
	err := f.file.Close()
	return errors.Join(err, f.remove())
}

func (f *NgFile) remove() error {
	if f.path == "" {
		return nil
	}
	return os.Remove(f.file.Name())
}
