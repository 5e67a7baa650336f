package watch_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/watch"
)

// tree writes files below a new directory, goes there, and returns nothing:
// paths in the tests are relative, as users give them.
func tree(t *testing.T, files ...string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, name := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("-- "+name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestScan checks what counts as a script, its name and the order.
func TestScan(t *testing.T) {
	tree(t, "rules/b.lua", "rules/a.lua", "rules/sub/c.lua", "rules/a_spec.lua", "rules/.hidden.lua",
		"rules/#a.lua#", "rules/a.lua~", "rules/a.lua.swp", "rules/4913", "rules/.git/x.lua", "rules/notes.txt", "other.txt")
	if err := os.WriteFile("rules/types.lua", []byte("---@meta\nflow = {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", "rules/.#a.lua"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("gone.lua", "rules/dangling.lua"); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		paths []string
		want  []string
	}{
		{"directory", []string{"rules"}, []string{"rules/a.lua", "rules/b.lua", "rules/sub/c.lua"}},
		{"file of any name", []string{"other.txt"}, []string{"other.txt"}},
		{"each once", []string{"rules", "rules/a.lua", "./rules/"}, []string{"rules/a.lua", "rules/b.lua", "rules/sub/c.lua"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sources, err := watch.Scan(tt.paths...)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range sources {
				got = append(got, s.Path)
				if string(s.Text) != "-- "+s.Path {
					t.Errorf("%s holds %q", s.Path, s.Text)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestScanModules checks which files are modules, by what name and for whom.
func TestScanModules(t *testing.T) {
	tree(t, "rules/a.lua", "rules/lib/net.lua", "rules/lib/net/http.lua", "rules/lib/geo/init.lua", "rules/lib/init.lua",
		"rules/lib/net_spec.lua", "rules/lib/.x.lua", "rules/lib/a/lib/b.lua", "rules/sub/lib/net.lua", "rules/sub/c.lua",
		"rules/library/d.lua", "rules/lib.lua", "lib/e.lua", "main.lua")
	tests := []struct {
		name  string
		paths []string
		want  []string // path, and name and base of a module
	}{
		{"directory", []string{"rules"}, []string{
			"rules/a.lua", "rules/lib.lua", "rules/lib/a/lib/b.lua a.lib.b@rules", "rules/lib/geo/init.lua geo@rules",
			"rules/lib/init.lua init@rules", "rules/lib/net.lua net@rules", "rules/lib/net/http.lua net.http@rules",
			"rules/library/d.lua", "rules/sub/c.lua", "rules/sub/lib/net.lua net@rules/sub",
		}},
		{"file", []string{"main.lua"}, []string{"lib/e.lua e@.", "main.lua"}},
		{"file of a folder", []string{"rules/sub/c.lua"}, []string{"rules/sub/c.lua", "rules/sub/lib/net.lua net@rules/sub"}},
		{"module by its name", []string{"lib/e.lua"}, []string{"lib/e.lua"}},
		{"both", []string{"rules/sub", "rules/sub/c.lua", "rules/sub/lib/net.lua"}, []string{"rules/sub/c.lua", "rules/sub/lib/net.lua"}},
		{"folder of modules", []string{"lib"}, []string{"lib/e.lua"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sources, err := watch.Scan(tt.paths...)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range sources {
				line := s.Path
				if s.Module != "" {
					line += " " + s.Module + "@" + s.Base
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if _, err := watch.Scan("rules/lib/net"); err != nil {
		t.Error(err)
	}
	tree(t, "only/lib/x.lua")
	if _, err := watch.Scan("only"); !errors.Is(err, watch.ErrNoScripts) {
		t.Errorf("modules alone: %v", err)
	}
}

// TestScanConfigMap checks a directory whose files are links into another that
// is swapped, as Kubernetes mounts them.
func TestScanConfigMap(t *testing.T) {
	tree(t, "cm/..2026/a.lua")
	for link, target := range map[string]string{"cm/..data": "..2026", "cm/a.lua": "..data/a.lua", "scripts": "cm"} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	for _, root := range []string{"cm", "scripts"} {
		sources, err := watch.Scan(root)
		if err != nil {
			t.Fatal(err)
		}
		if len(sources) != 1 || sources[0].Path != root+"/a.lua" || string(sources[0].Text) != "-- cm/..2026/a.lua" {
			t.Errorf("%s: %+v", root, sources)
		}
	}
}

// TestScanErrors checks what is said where there is nothing to read.
func TestScanErrors(t *testing.T) {
	tree(t, "empty/notes.txt", "big.lua")
	if _, err := watch.Scan("empty"); !errors.Is(err, watch.ErrNoScripts) {
		t.Errorf("empty: %v", err)
	}
	if _, err := watch.Scan("missing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if err := os.WriteFile("big.lua", []byte(strings.Repeat("x", watch.MaxFile+1)), 0o644); err != nil {
		t.Fatal(err)
	}
	sources, err := watch.Scan("big.lua")
	if err != nil || len(sources[0].Text) != watch.MaxFile {
		t.Errorf("a large file: %d bytes, %v", len(sources[0].Text), err)
	}
}
