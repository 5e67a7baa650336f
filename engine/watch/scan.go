package watch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
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
//
// A file [engine.SettingsFile] at the root is none: see [Settings].
//
// Files in folders named [engine.ModuleFolder] are modules, which scripts
// require: those below a directory, and those in such a folder beside a file
// that is named itself. That file is a script wherever it is.
func Scan(paths ...string) ([]engine.Source, error) {
	f := finder{seen: map[string]bool{}}
	if err := f.find(paths, IsScript, true); err != nil {
		return nil, err
	}
	sources := make([]engine.Source, 0, len(f.list))
	scripts := 0
	for _, file := range f.list {
		text, err := readFile(file.name)
		if err != nil {
			return nil, fmt.Errorf("watch: read script: %w", err)
		}
		if isStub(text) {
			continue
		}
		if file.isSettings() {
			continue
		}
		src := engine.Source{Path: filepath.ToSlash(file.name), Text: text, Root: file.folder()}
		if src.Base, src.Module = file.module(); src.Module == "" {
			scripts++
		}
		sources = append(sources, src)
	}
	if scripts == 0 {
		return nil, fmt.Errorf("%w below %s", ErrNoScripts, strings.Join(paths, ", "))
	}
	return sources, nil
}

// Find lists the files below paths whose base name keep accepts, sorted, each
// once; a path that names a file is listed whatever its name.
func Find(paths []string, keep func(base string) bool) ([]string, error) {
	f := finder{seen: map[string]bool{}}
	if err := f.find(paths, keep, false); err != nil {
		return nil, err
	}
	list := make([]string, len(f.list))
	for i, file := range f.list {
		list[i] = file.name
	}
	return list, nil
}

// finder collects files, each once.
type finder struct {
	seen map[string]bool
	list []foundFile
}

// foundFile is a file and the directory below which it was found; none where the
// file was named itself.
type foundFile struct{ name, root string }

// module returns the name that scripts require the file by and the folder below
// which they may; empty for a script.
func (f foundFile) module() (base, name string) {
	rel, err := filepath.Rel(f.root, f.name)
	if f.root == "" || err != nil {
		return "", ""
	}
	parts := strings.Split(filepath.ToSlash(rel), "/")
	at := slices.Index(parts[:len(parts)-1], engine.ModuleFolder)
	if at < 0 {
		return "", ""
	}
	name = strings.TrimSuffix(strings.Join(parts[at+1:], "."), ".lua")
	if short, ok := strings.CutSuffix(name, ".init"); ok {
		name = short
	}
	return path.Join(append([]string{filepath.ToSlash(f.root)}, parts[:at]...)...), name
}

// isSettings reports whether the file holds settings.
func (f foundFile) isSettings() bool {
	return path.Clean(filepath.ToSlash(f.name)) == path.Join(f.folder(), engine.SettingsFile)
}

// folder returns the folder that holds the file's data.
func (f foundFile) folder() string {
	if f.root != "" {
		return path.Clean(filepath.ToSlash(f.root))
	}
	return path.Dir(filepath.ToSlash(f.name))
}

func (f *finder) add(name, root string) error {
	name = filepath.Clean(name)
	if f.seen[name] {
		return nil
	}
	if f.seen[name] = true; len(f.seen) > MaxFiles {
		return fmt.Errorf("watch: more than %d scripts", MaxFiles)
	}
	f.list = append(f.list, foundFile{name, root})
	return nil
}

// find adds the files of paths: those that are named themselves first, because
// such a file is a script also where it stands among modules.
func (f *finder) find(paths []string, keep func(string) bool, modules bool) error {
	var dirs []string
	for _, p := range paths {
		info, err := stat(p)
		switch {
		case err != nil:
			return err
		case info.IsDir():
			dirs = append(dirs, p)
		default:
			if err := f.add(p, ""); err != nil {
				return err
			}
		}
	}
	if modules {
		for _, file := range f.list {
			root := filepath.Dir(file.name)
			lib := filepath.Join(root, engine.ModuleFolder)
			if info, err := os.Stat(lib); err != nil || !info.IsDir() {
				continue
			}
			if err := walk(lib, keep, func(name string) error { return f.add(name, root) }); err != nil {
				return err
			}
		}
	}
	for _, dir := range dirs {
		if err := walk(dir, keep, func(name string) error { return f.add(name, dir) }); err != nil {
			return err
		}
	}
	sort.Slice(f.list, func(i, j int) bool { return f.list[i].name < f.list[j].name })
	return nil
}

// stat says what is at a path that somebody named.
func stat(path string) (fs.FileInfo, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("no scripts at %s: %w", path, fs.ErrNotExist)
	case err != nil:
		return nil, fmt.Errorf("watch: %w", err)
	}
	return info, nil
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
