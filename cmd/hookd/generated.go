package main

import (
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/hookd/hookd/scripts"
	"github.com/hookd/hookd/spec/reference"
)

// writeGenerated writes the whole catalogue as it was generated: the pages in
// Markdown or the stubs for editors.
func writeGenerated(w io.Writer, format string) error {
	files, dir := fs.FS(reference.Pages), "."
	if format == "luals" {
		files, dir = scripts.Types, "types"
	}
	entries, err := fs.ReadDir(files, dir)
	if err != nil {
		return fmt.Errorf("read generated pages: %w", err)
	}
	for _, e := range entries {
		text, err := fs.ReadFile(files, path.Join(dir, e.Name()))
		if err != nil {
			return fmt.Errorf("read generated page: %w", err)
		}
		if _, err := w.Write(text); err != nil {
			return fail(exitIO, err)
		}
	}
	return nil
}
