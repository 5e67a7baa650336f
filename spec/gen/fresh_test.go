package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/hookd/hookd/spec/model"
)

// root is the module root as seen from this package.
var root = filepath.Join("..", "..")

// The committed files are what the declarations make, no more and no less.
func TestCommittedFilesAreFresh(t *testing.T) {
	t.Parallel()
	spec, err := model.Load(os.DirFS(filepath.Join(root, "spec", "events")))
	if err != nil {
		t.Fatal(err)
	}
	files, err := generate(spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := compare(root, files); err != nil {
		t.Error(err)
	}
}
