package watch

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// MaxData bounds how large a data file may be, in bytes.
const MaxData = 64 << 20

// ReadData reads a data file that a script names.
func ReadData(name string) ([]byte, error) {
	file := filepath.FromSlash(name)
	info, err := os.Stat(file) // opening a pipe would wait for who writes to it
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, cause(err))
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: no regular file", name)
	case info.Size() > MaxData:
		return nil, tooLarge(name)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, cause(err))
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxData+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case len(text) > MaxData:
		return nil, tooLarge(name)
	}
	return text, nil
}

// cause takes the path off an error, which the caller names.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func tooLarge(name string) error {
	return fmt.Errorf("%s: a data file has at most %d MiB", name, MaxData>>20)
}
