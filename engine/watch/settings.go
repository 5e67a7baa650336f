package watch

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/hookd/hookd/engine"
)

// Settings reads the file [engine.SettingsFile] at the root of the scripts: in
// a directory among paths, or beside a file. It is nil if there is none; there
// may be one only.
func Settings(paths ...string) (*engine.Source, error) {
	var found *engine.Source
	for _, p := range paths {
		info, err := stat(p)
		if err != nil {
			return nil, err
		}
		dir := p
		if !info.IsDir() {
			dir = filepath.Dir(p)
		}
		name := filepath.Join(dir, engine.SettingsFile)
		text, err := readFile(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return nil, fmt.Errorf("watch: read settings: %w", err)
		case found != nil && found.Path != filepath.ToSlash(name):
			return nil, fmt.Errorf("watch: there are two files of settings: %s and %s", found.Path, filepath.ToSlash(name))
		}
		found = &engine.Source{Path: filepath.ToSlash(name), Text: text}
	}
	return found, nil
}
