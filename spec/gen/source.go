package main

import (
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"slices"
	"strings"
)

const module = "github.com/hookd/hookd"

// packages are the imports that generated Go may need, by the name it uses.
var packages = map[string]string{
	"bind":    module + "/runtime/lua/bind",
	"bytes":   "bytes",
	"event":   module + "/engine/event",
	"lua":     "github.com/yuin/gopher-lua",
	"netip":   "net/netip",
	"plain":   module + "/engine/event/plain",
	"slices":  "slices",
	"strconv": "strconv",
	"time":    "time",
}

// source is one Go file in the making.
type source struct {
	pkg string // package name
	doc string // package comment, of one file a package
	b   strings.Builder
}

// line adds a formatted line.
func (s *source) line(format string, args ...any) {
	fmt.Fprintf(&s.b, format, args...)
	s.b.WriteByte('\n')
}

// comment adds text as a comment, wrapped, behind the given indentation.
func (s *source) comment(text string) {
	for _, l := range wrap(text, 77) {
		s.line("// %s", l)
	}
}

// empty reports whether nothing was added yet.
func (s *source) empty() bool { return s.b.Len() == 0 }

// save formats the file with the imports that it turns out to need.
func (o *outputs) save(path string, s *source) {
	text, err := s.text()
	if err != nil {
		o.errs = append(o.errs, fmt.Errorf("gen: format %s: %w", path, err))
		return
	}
	o.files[path] = text
}

func (s *source) text() ([]byte, error) {
	body := "package " + s.pkg + "\n\n" + s.b.String()
	imports, err := needed(body)
	if err != nil {
		return nil, err
	}
	var head strings.Builder
	head.WriteString("// " + header + "\n\n")
	if s.doc != "" {
		for _, l := range wrap(s.doc, 77) {
			head.WriteString(strings.TrimRight("// "+l, " ") + "\n")
		}
	}
	head.WriteString("package " + s.pkg + "\n\n")
	if len(imports) != 0 {
		head.WriteString("import (\n")
		for i, path := range imports {
			if i > 0 && outside(path) != outside(imports[i-1]) {
				head.WriteString("\n")
			}
			if path == packages["lua"] {
				head.WriteString("\tlua ")
			}
			fmt.Fprintf(&head, "\t%q\n", path)
		}
		head.WriteString(")\n\n")
	}
	return format.Source([]byte(head.String() + s.b.String()))
}

// needed returns the import paths that a file's selectors ask for: the standard
// library's first, then others', then this module's.
func needed(body string) ([]string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), "", body, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("%w in\n%s", err, body)
	}
	var list []string
	ast.Inspect(file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if id, ok := sel.X.(*ast.Ident); ok {
			path := packages[id.Name]
			if path == "" && strings.HasSuffix(id.Name, "ev") && ast.IsExported(sel.Sel.Name) {
				path = module + "/engine/event/" + id.Name
			}
			if path != "" && !slices.Contains(list, path) {
				list = append(list, path)
			}
		}
		return true
	})
	slices.SortFunc(list, func(a, b string) int {
		if x, y := outside(a), outside(b); x != y {
			return x - y
		}
		return strings.Compare(a, b)
	})
	return list, nil
}

// outside ranks an import path: 0 standard library, 1 another module, 2 this one.
func outside(path string) int {
	switch {
	case strings.HasPrefix(path, module+"/"):
		return 2
	case strings.Contains(path, "."):
		return 1
	default:
		return 0
	}
}

// wrap breaks text into lines of at most width columns; paragraphs, divided by
// empty lines, stay.
func wrap(text string, width int) []string {
	var lines []string
	for i, paragraph := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if i > 0 {
			lines = append(lines, "")
		}
		line := ""
		for _, word := range strings.Fields(paragraph) {
			if line != "" && len([]rune(line))+1+len([]rune(word)) > width {
				lines = append(lines, line)
				line = ""
			}
			if line != "" {
				line += " "
			}
			line += word
		}
		lines = append(lines, line)
	}
	return lines
}
