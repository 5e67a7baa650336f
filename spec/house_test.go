package spec

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/hookd/hookd"

// goFile is one parsed Go file of the house.
type goFile struct {
	path string // from the module's root
	dir  string
	text string
	ast  *ast.File
	set  *token.FileSet
}

func (f *goFile) test() bool { return strings.HasSuffix(f.path, "_test.go") }

func (f *goFile) generated() bool { return strings.HasSuffix(f.path, "_gen.go") }

// house parses every Go file of the module, once for all tests.
func house(t *testing.T) []*goFile {
	t.Helper()
	files, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 50 {
		t.Fatalf("found %d Go files: the walk is wrong", len(files))
	}
	return files
}

var parsed = sync.OnceValues(parse)

func parse() ([]*goFile, error) {
	var files []*goFile
	set := token.NewFileSet()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() {
			if base == "testdata" || base != ".." && strings.HasPrefix(base, ".") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(base, ".go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(set, path, text, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel("..", path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		files = append(files, &goFile{path: rel, dir: filepath.ToSlash(filepath.Dir(rel)), text: string(text), ast: file, set: set})
		return nil
	})
	return files, err
}

// TestTopLevel keeps the folders of the design and no others.
func TestTopLevel(t *testing.T) {
	allowed := []string{"cmd", "engine", "runtime", "stacks", "scripts", "examples", "spec"}
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") && e.Name() != "bin" && !slices.Contains(allowed, e.Name()) {
			t.Errorf("%s/: no folder of the house", e.Name())
		}
	}
}

// rule of imports: a file below from may not import anything below to, tests
// excepted where noted.
type importRule struct {
	from, to string
	except   []string // directories below from that may
	tests    bool     // holds for tests too
	why      string
}

var importRules = []importRule{
	{from: "engine/event", to: module + "/engine", except: nil, why: "event is what everything else stands on", tests: false},
	{from: "engine", to: module + "/stacks", why: "the engine knows no stack", tests: true},
	{from: "engine", to: module + "/runtime", why: "the engine knows no Lua", tests: true},
	{from: "stacks", to: module + "/runtime", why: "stacks know no Lua", tests: true},
	{from: "runtime", to: module + "/stacks", why: "the runtime knows no stack", tests: true},
	{from: "", to: module + "/cmd", why: "nothing imports a command", tests: true},
	{from: "", to: module + "/spec/gen", why: "the generator is a program", tests: true},
	{from: "", to: "github.com/yuin/gopher-lua", except: []string{"runtime/lua", "spec/gen"}, why: "gopher-lua appears only under runtime/lua", tests: false},
	{from: "", to: "github.com/google/gopacket", except: []string{"stacks/flow/layers", "spec/bench/gopacket"}, why: "gopacket decodes layers that scripts ask for, and is a test's oracle", tests: false},
	{from: "", to: "golang.org/x/sys/unix", except: []string{"stacks/netio", "stacks/netfilter", "stacks/sock", "stacks/flow/capture"}, why: "x/sys/unix appears only where the kernel is spoken to", tests: false},
}

// below reports whether path is dir or inside it.
func below(path, dir string) bool {
	return dir == "" || path == dir || strings.HasPrefix(path, dir+"/")
}

// TestImports keeps imports running one way.
func TestImports(t *testing.T) {
	for _, f := range house(t) {
		for _, spec := range f.ast.Imports {
			path := strings.Trim(spec.Path.Value, `"`)
			for _, r := range importRules {
				if f.test() && !r.tests || !below(f.dir, r.from) || !below(path, r.to) {
					continue
				}
				if r.from == "engine/event" && (below(path, module+"/engine/event") || path == module+"/engine/diag") {
					continue
				}
				if below(f.dir, strings.TrimPrefix(r.to, module+"/")) && strings.HasPrefix(r.to, module) && r.from == "" {
					continue
				}
				if slices.ContainsFunc(r.except, func(e string) bool { return below(f.dir, e) }) {
					continue
				}
				t.Errorf("%s imports %s: %s", f.path, path, r.why)
			}
		}
	}
}

// TestStacksApart keeps stacks from importing the engine and each other.
func TestStacksApart(t *testing.T) {
	shared := []string{"netio", "netfilter"}
	for _, f := range house(t) {
		if !below(f.dir, "stacks") || f.test() {
			continue
		}
		own := strings.Split(f.dir, "/")[1]
		for _, spec := range f.ast.Imports {
			path := strings.Trim(spec.Path.Value, `"`)
			if rest, ok := strings.CutPrefix(path, module+"/stacks/"); ok {
				if other := strings.Split(rest, "/")[0]; other != own && !slices.Contains(shared, other) {
					t.Errorf("%s imports stack %s", f.path, other)
				}
			}
			if below(path, module+"/engine") && !below(path, module+"/engine/event") {
				t.Errorf("%s imports %s: stacks see engine/event only", f.path, path)
			}
		}
	}
}

// TestPackageComments wants exactly one package comment in each package.
func TestPackageComments(t *testing.T) {
	count := map[string]int{}
	for _, f := range house(t) {
		if f.test() {
			continue
		}
		count[f.dir] += 0
		if f.ast.Doc != nil && !f.generated() {
			count[f.dir]++
		} else if f.ast.Doc != nil && !strings.HasPrefix(f.ast.Doc.Text(), "Code generated") {
			count[f.dir]++
		}
	}
	for dir, n := range count {
		if n != 1 {
			t.Errorf("%s has %d package comments", dir, n)
		}
	}
}

// TestExportedDocs wants a comment on every exported name.
func TestExportedDocs(t *testing.T) {
	for _, f := range house(t) {
		if f.test() {
			continue
		}
		for _, decl := range f.ast.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && exportedReceiver(d) && d.Doc == nil {
					t.Errorf("%s: %s has no comment", f.set.Position(d.Pos()), d.Name.Name)
				}
			case *ast.GenDecl:
				undocumented(d, func(name *ast.Ident) {
					t.Errorf("%s: %s has no comment", f.set.Position(name.Pos()), name.Name)
				})
			}
		}
	}
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if idx, ok := typ.(*ast.IndexExpr); ok {
		typ = idx.X
	}
	name, ok := typ.(*ast.Ident)
	return ok && name.IsExported()
}

func undocumented(d *ast.GenDecl, report func(*ast.Ident)) {
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() && s.Doc == nil && d.Doc == nil {
				report(s.Name)
			}
		case *ast.ValueSpec:
			if s.Doc != nil || s.Comment != nil || d.Doc != nil {
				continue
			}
			for _, name := range s.Names {
				if name.IsExported() {
					report(name)
				}
			}
		}
	}
}

// TestFileLength keeps a file one story.
func TestFileLength(t *testing.T) {
	for _, f := range house(t) {
		lines := strings.Count(f.text, "\n")
		limit := 500
		if f.test() {
			limit = 800
		}
		if !f.generated() && lines > limit {
			t.Errorf("%s has %d lines, more than %d", f.path, lines, limit)
		}
		if strings.Contains(filepath.Base(f.path), "-") {
			t.Errorf("%s: no hyphens in names of Go files", f.path)
		}
	}
}

// TestFunctionLength keeps functions readable.
func TestFunctionLength(t *testing.T) {
	for _, f := range house(t) {
		if f.generated() || f.test() {
			continue
		}
		for _, decl := range f.ast.Decls {
			d, ok := decl.(*ast.FuncDecl)
			if !ok || d.Body == nil {
				continue
			}
			if n := f.set.Position(d.End()).Line - f.set.Position(d.Pos()).Line + 1; n > 90 {
				t.Errorf("%s: %s has %d lines, more than 90", f.set.Position(d.Pos()), d.Name.Name, n)
			}
		}
	}
}

var (
	badError = regexp.MustCompile(`(?:fmt\.Errorf|errors\.New)\("(?:failed to|could not|unable to|error )`)
	badWord  = regexp.MustCompile(`\b(?:TO` + `DO|FIX` + `ME|XXX)\b`)
	badName  = regexp.MustCompile(`(?:^|/)(?:util|utils|common|manager|helpers?)(?:/|\.go$)`)
)

// TestWords keeps errors in the form "verb object: cause" and loose ends out.
func TestWords(t *testing.T) {
	for _, f := range house(t) {
		if f.path == "spec/house_test.go" {
			continue
		}
		for i, line := range strings.Split(f.text, "\n") {
			if badError.MatchString(line) {
				t.Errorf("%s:%d: say what was done to what: %s", f.path, i+1, strings.TrimSpace(line))
			}
			if badWord.MatchString(line) {
				t.Errorf("%s:%d: a loose end: %s", f.path, i+1, strings.TrimSpace(line))
			}
		}
		if badName.MatchString(f.path) {
			t.Errorf("%s: name it for what it holds", f.path)
		}
	}
}

// TestEventsAreEmitted wants every hook point named somewhere outside tests and
// generated files: what is declared happens.
func TestEventsAreEmitted(t *testing.T) {
	files := house(t)
	var points []string
	for _, f := range files {
		if !strings.HasSuffix(f.path, "/events_gen.go") || !below(f.dir, "engine/event") {
			continue
		}
		for _, decl := range f.ast.Decls {
			d, ok := decl.(*ast.GenDecl)
			if !ok || d.Tok != token.VAR {
				continue
			}
			for _, spec := range d.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					points = append(points, filepath.Base(f.dir)+"."+name.Name)
				}
			}
		}
	}
	if len(points) < 10 {
		t.Fatalf("found %d hook points: the search is wrong", len(points))
	}
	for _, p := range points {
		named := slices.ContainsFunc(files, func(f *goFile) bool {
			return !f.test() && !f.generated() && strings.Contains(f.text, p)
		})
		if !named {
			t.Errorf("%s is never emitted", p)
		}
	}
}
