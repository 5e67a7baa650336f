package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/spec/model"
)

// refusal is a set of bad declarations and what is said about it.
type refusal struct {
	files fstest.MapFS
	want  []byte
}

// refusals reads the cases of an archive: NAME/x.yaml and NAME/want.
func refusals(a *archive) map[string]*refusal {
	cases := map[string]*refusal{}
	for _, f := range a.files {
		name, file, _ := strings.Cut(f.name, "/")
		if cases[name] == nil {
			cases[name] = &refusal{files: fstest.MapFS{}}
		}
		if file == "want" {
			cases[name].want = f.data
			continue
		}
		cases[name].files[file] = &fstest.MapFile{Data: f.data}
	}
	return cases
}

// judge returns what is said about declarations.
func judge(files fstest.MapFS) error {
	spec, err := model.Load(files)
	if err == nil {
		_, err = generate(spec)
	}
	return err
}

// Every mistake is told with file and line.
func TestRefusals(t *testing.T) {
	t.Parallel()
	path := filepath.Join("testdata", "errors", "cases.txtar")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	a := parseArchive(text)
	said := map[string][]byte{}
	for name, c := range refusals(a) {
		err := judge(c.files)
		if err == nil {
			t.Errorf("%s: nothing is said", name)
			continue
		}
		said[name] = append([]byte(err.Error()), '\n')
		if diff := cmp.Diff(string(c.want), string(said[name])); diff != "" && !*update {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if *update {
		if err := os.WriteFile(path, a.judged(said).format(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// judged returns the archive with what is said behind the last file of each case.
func (a *archive) judged(said map[string][]byte) *archive {
	a.files = slices.DeleteFunc(a.files, func(f archived) bool { return strings.HasSuffix(f.name, "/want") })
	out := &archive{comment: a.comment}
	for i, f := range a.files {
		name, _, _ := strings.Cut(f.name, "/")
		out.files = append(out.files, f)
		if i+1 == len(a.files) || !strings.HasPrefix(a.files[i+1].name, name+"/") {
			out.files = append(out.files, archived{name + "/want", said[name]})
		}
	}
	return out
}

// Whatever the bytes, loading them ends in declarations or in an error that
// names the file.
func FuzzLoad(f *testing.F) {
	text, err := os.ReadFile(filepath.Join("testdata", "errors", "cases.txtar"))
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range parseArchive(text).files {
		f.Add(c.data)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		err := judge(fstest.MapFS{"x.yaml": &fstest.MapFile{Data: text}})
		if err != nil && !bytes.Contains([]byte(err.Error()), []byte("x.yaml:")) {
			t.Errorf("an error without a place: %v", err)
		}
	})
}
