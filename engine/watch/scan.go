package watch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/hookd/hookd/engine"
)

// Limits of one scan.
const (
	// MaxFile bounds how many bytes of a script are read. It is far above what a
	// checker takes, which then can say how large the script is.
	MaxFile = 16 << 20
	// MaxFiles bounds how many scripts one set may have.
	MaxFiles = 10_000
)

// ErrNoScripts is returned where the paths hold no script at all.
var ErrNoScripts = errors.New("no scripts")

// SpecSuffix ends the names of scripts that test others; they are no policy.
const SpecSuffix = "_spec.lua"

// Scan reads the scripts below paths: a file as it is, of a directory every
// *.lua below it except specs, stubs for editors (---@meta), hidden files and
// what editors leave behind.
// Links are followed to files, not to directories, but for a path named
// itself. A script is named by its path as given, with forward slashes.
func Scan(paths ...string) ([]engine.Source, error) {
	found, err := Find(paths, IsScript)
	if err != nil {
		return nil, err
	}
	sources := make([]engine.Source, 0, len(found))
	for _, name := range found {
		text, err := readFile(name)
		if err != nil {
			return nil, fmt.Errorf("watch: read script: %w", err)
		}
		if !isStub(text) {
			sources = append(sources, engine.Source{Path: filepath.ToSlash(name), Text: text})
		}
	}
	if len(sources) == 0 {
		return nil, fmt.Errorf("%w below %s", ErrNoScripts, strings.Join(paths, ", "))
	}
	return sources, nil
}

// Find lists the files below paths whose base name keep accepts, sorted, each
// once; a path that names a file is listed whatever its name.
func Find(paths []string, keep func(base string) bool) ([]string, error) {
	seen := map[string]bool{}
	var list []string
	add := func(name string) error {
		name = filepath.Clean(name)
		if seen[name] {
			return nil
		}
		if seen[name] = true; len(seen) > MaxFiles {
			return fmt.Errorf("watch: more than %d scripts", MaxFiles)
		}
		list = append(list, name)
		return nil
	}
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return nil, fmt.Errorf("watch: %w", err)
		}
		if !info.IsDir() {
			if err := add(p); err != nil {
				return nil, err
			}
			continue
		}
		if err := walk(p, keep, add); err != nil {
			return nil, err
		}
	}
	sort.Strings(list)
	return list, nil
}

func walk(root string, keep func(string) bool, add func(string) error) error {
	// A root that is a link to a directory is walked by its target's entries.
	resolved, err := filepath.EvalSymlinks(root)
	if err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	return filepath.WalkDir(resolved, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("watch: %w", err)
		}
		base := d.Name()
		if d.IsDir() {
			if name != resolved && strings.HasPrefix(base, ".") {
				return fs.SkipDir
			}
			return nil
		}
		if !keep(base) {
			return nil
		}
		if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
			return nil // a dangling link, such as an editor's lock
		}
		rel, err := filepath.Rel(resolved, name)
		if err != nil {
			return fmt.Errorf("watch: %w", err)
		}
		return add(filepath.Join(root, rel))
	})
}

// IsScript reports whether a file of this base name is a policy script.
func IsScript(base string) bool { return isLua(base) && !strings.HasSuffix(base, SpecSuffix) }

// IsSpec reports whether a file of this base name tests scripts.
func IsSpec(base string) bool { return isLua(base) && strings.HasSuffix(base, SpecSuffix) }

// isStub reports whether a file only tells an editor about types.
func isStub(text []byte) bool { return bytes.HasPrefix(text, []byte("---@meta")) }

// isLua tells Lua files from what editors leave beside them.
func isLua(base string) bool {
	return strings.HasSuffix(base, ".lua") && !strings.HasPrefix(base, ".") && !strings.HasPrefix(base, "#")
}

// readFile reads at most MaxFile bytes.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, MaxFile))
}
