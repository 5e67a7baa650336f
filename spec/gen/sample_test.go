package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/spec/model"
)

var update = flag.Bool("update", false, "write the outputs of the samples into testdata")

// declarations are where an archive holds its YAML; the other files are wanted
// outputs.
const declarations = "spec/events/"

// archives reads the archives of testdata that match a pattern.
func archives(t *testing.T, pattern string) map[string]*archive {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(names) == 0 {
		t.Fatalf("no archives %s: %v", pattern, err)
	}
	list := map[string]*archive{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		list[name] = parseArchive(text)
	}
	return list
}

// yamlOf returns the declarations of an archive.
func yamlOf(a *archive) fstest.MapFS {
	fsys := fstest.MapFS{}
	for _, f := range a.files {
		if name, ok := strings.CutPrefix(f.name, declarations); ok {
			fsys[name] = &fstest.MapFile{Data: f.data}
		}
	}
	return fsys
}

// outputsOf loads and generates.
func outputsOf(t *testing.T, fsys fstest.MapFS) map[string][]byte {
	t.Helper()
	spec, err := model.Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	files, err := generate(spec)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// The schema fits the four stacks: what each sample becomes is kept beside it.
func TestSamples(t *testing.T) {
	t.Parallel()
	for name, a := range archives(t, "*.txtar") {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			got := outputsOf(t, yamlOf(a))
			delete(got, "scripts/types/hookd.lua") // mostly the prelude; the committed one is a golden file
			if *update {
				rewrite(t, name, a, got)
				return
			}
			want := map[string]string{}
			for _, f := range a.files {
				if !strings.HasPrefix(f.name, declarations) {
					want[f.name] = string(f.data)
				}
			}
			text := map[string]string{}
			for name, data := range got {
				text[name] = string(data)
			}
			if diff := cmp.Diff(want, text); diff != "" {
				t.Errorf("outputs differ (go test ./spec/gen -update rewrites them):\n%s", diff)
			}
		})
	}
}

func rewrite(t *testing.T, name string, a *archive, files map[string][]byte) {
	t.Helper()
	a.files = slices.DeleteFunc(a.files, func(f archived) bool { return !strings.HasPrefix(f.name, declarations) })
	for _, path := range slices.Sorted(maps.Keys(files)) {
		a.files = append(a.files, archived{path, files[path]})
	}
	if err := os.WriteFile(name, a.format(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// What the samples become compiles: all of them at once, in the places of the
// committed files.
func TestSamplesCompile(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{}
	hookd, err := os.ReadFile(filepath.Join(root, declarations, "hookd.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	fsys["hookd.yaml"] = &fstest.MapFile{Data: hookd}
	for _, a := range archives(t, "*.txtar") {
		maps.Copy(fsys, yamlOf(a))
	}
	files := outputsOf(t, fsys)
	cmd := exec.Command("go", "build", "-overlay", overlayOf(t, files), "./engine/event/...", "./runtime/lua/bind",
		"./engine/event/sipev", "./engine/event/sockev", "./engine/event/loopev", "./engine/event/netev")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go build: %v\n%s", err, out)
	}
}

// The glue of the samples works: a test of its own runs in package bind, with
// what three samples become in place of the committed files.
func TestSamplesRun(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{}
	for _, name := range []string{"flow.yaml", "hookd.yaml"} {
		text, err := os.ReadFile(filepath.Join(root, declarations, name))
		if err != nil {
			t.Fatal(err)
		}
		fsys[name] = &fstest.MapFile{Data: text}
	}
	for _, a := range archives(t, "*o*.txtar") { // loop, sock; flow gives way to the real one
		for name, file := range yamlOf(a) {
			if fsys[name] == nil {
				fsys[name] = file
			}
		}
	}
	maps.Copy(fsys, yamlOf(archives(t, "sip.txtar")[filepath.Join("testdata", "sip.txtar")]))
	files := outputsOf(t, fsys)
	test, err := os.ReadFile(filepath.Join("testdata", "glue", "samples_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	files["runtime/lua/bind/samples_test.go"] = test
	cmd := exec.Command("go", "test", "-count=1", "-vet=off", "-overlay", overlayOf(t, files), "-run", "^TestSample", "./runtime/lua/bind")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.HasPrefix(out, []byte("ok")) {
		t.Errorf("go test: %v\n%s", err, out)
	}
}

// overlayOf writes files beside the tree and returns the go command's overlay
// that puts them in it and takes other generated Go files out, and what is written by
// hand beside them about the committed ones.
func overlayOf(t *testing.T, files map[string][]byte) string {
	t.Helper()
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	replace := map[string]string{}
	stale, err := leftovers(top, files)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range stale {
		if strings.HasSuffix(name, ".go") {
			replace[filepath.Join(top, filepath.FromSlash(name))] = ""
		}
	}
	for name, data := range files {
		if !strings.HasSuffix(name, ".go") {
			continue
		}
		own, err := filepath.Glob(filepath.Join(top, filepath.Dir(filepath.FromSlash(name)), "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range own {
			if strings.HasPrefix(name, "engine/event/") && replace[o] == "" && !strings.HasSuffix(o, "_gen.go") {
				replace[o] = ""
			}
		}
		path := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(top, filepath.FromSlash(name))] = path
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// The order of files and of map iteration does not show in the output.
func TestDeterministic(t *testing.T) {
	t.Parallel()
	for name, a := range archives(t, "*.txtar") {
		first := outputsOf(t, yamlOf(a))
		for range 3 {
			for path, data := range outputsOf(t, yamlOf(a)) {
				if !bytes.Equal(data, first[path]) {
					t.Errorf("%s: %s differs from run to run", name, path)
				}
			}
		}
	}
}
