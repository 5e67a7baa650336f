package model

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Load reads every *.yaml file of fsys, one family each, and checks the whole.
// The error names all that is wrong, a line each: "flow.yaml:12: what".
func Load(fsys fs.FS) (*Spec, error) {
	names, err := fs.Glob(fsys, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("model: list declarations: %w", err)
	}
	if len(names) == 0 {
		return nil, errors.New("model: no declarations (*.yaml) found")
	}
	spec := &Spec{}
	var all []error
	for _, name := range names {
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("model: read %s: %w", name, err)
		}
		family, err := decode(path.Base(name), text)
		if err != nil {
			all = append(all, err)
			continue
		}
		spec.Families = append(spec.Families, family)
	}
	if len(all) != 0 {
		return nil, errors.Join(all...)
	}
	slices.SortStableFunc(spec.Families, func(a, b *Family) int { return strings.Compare(a.Name, b.Name) })
	if err := spec.resolve(); err != nil {
		return nil, err
	}
	return spec, nil
}

// decode turns one file into a family whose parts know their lines; types and
// paths are still words.
func decode(file string, text []byte) (*Family, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, decodeError(file, err)
	}
	if len(root.Content) == 0 || root.Content[0].Tag == "!!null" {
		return nil, fmt.Errorf("%s:1: nothing is declared", file)
	}
	if err := plainNodes(file, &root); err != nil {
		return nil, err
	}
	family := &Family{}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(family); err != nil {
		return nil, decodeError(file, err)
	}
	if err := d.Decode(&yaml.Node{}); err != io.EOF {
		return nil, fmt.Errorf("%s:1: a file holds one family: there is a second document", file)
	}
	place(file, reflect.ValueOf(family), root.Content[0])
	return family, nil
}

// plainNodes refuses what YAML has beyond plain data: anchors, aliases, and list
// items without content.
func plainNodes(file string, n *yaml.Node) error {
	if n.Anchor != "" || n.Kind == yaml.AliasNode {
		return fmt.Errorf("%s:%d: anchors and aliases are not allowed: write it out", file, n.Line)
	}
	for _, child := range n.Content {
		if n.Kind == yaml.SequenceNode && child.Tag == "!!null" {
			return fmt.Errorf("%s:%d: an item of the list is empty", file, child.Line)
		}
		if err := plainNodes(file, child); err != nil {
			return err
		}
	}
	return nil
}

// place walks a decoded value beside the nodes it came from and sets the At of
// every struct to its line.
func place(file string, v reflect.Value, n *yaml.Node) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			place(file, v.Elem(), n)
		}
	case reflect.Slice:
		for i := range min(v.Len(), len(n.Content)) {
			place(file, v.Index(i), n.Content[i])
		}
	case reflect.Struct:
		at := v.FieldByName("At")
		if !at.IsValid() || n.Kind != yaml.MappingNode {
			return
		}
		at.Set(reflect.ValueOf(Pos{File: file, Line: n.Line}))
		for i := range v.NumField() {
			if child := value(n, v.Type().Field(i).Tag.Get("yaml")); child != nil {
				place(file, v.Field(i), child)
			}
		}
	}
}

// value returns the node behind a mapping's key, or nil.
func value(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

var (
	yamlLine    = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)
	unknownKey  = regexp.MustCompile(`^field (.+) not found in type model\.(\w+)$`)
	wrongShape  = regexp.MustCompile("^cannot unmarshal (!!\\w+)(?: `(.*)`)? into (.*)$")
	duplicateIn = regexp.MustCompile(`^mapping key "(.*)" already defined at line (\d+)$`)
)

// decodeError rewrites yaml's messages to "file:line: what".
func decodeError(file string, err error) error {
	lines := []string{err.Error()}
	var typed *yaml.TypeError
	if errors.As(err, &typed) {
		lines = typed.Errors
	}
	var all []error
	for _, text := range lines {
		pos := Pos{File: file, Line: 1}
		if m := yamlLine.FindStringSubmatch(text); m != nil {
			pos.Line, _ = strconv.Atoi(m[1])
			text = m[2]
		}
		all = append(all, fmt.Errorf("%s: %s", pos, explain(text)))
	}
	return errors.Join(all...)
}

func explain(text string) string {
	if m := unknownKey.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("unknown key %q of %s", m[1], article(strings.ToLower(m[2])))
	}
	if m := duplicateIn.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("key %q is given twice, first at line %s", m[1], m[2])
	}
	if m := wrongShape.FindStringSubmatch(text); m != nil {
		found, known := shapes[m[1]]
		if !known {
			found = m[1]
		}
		if m[2] != "" {
			found = strconv.Quote(m[2])
		}
		return fmt.Sprintf("%s does not fit here: %s expected", found, expected(m[3]))
	}
	return strings.TrimPrefix(text, "yaml: ")
}

// shapes name YAML's tags as a reader knows them.
var shapes = map[string]string{"!!str": "text", "!!seq": "a list", "!!map": "a mapping", "!!int": "a number", "!!null": "nothing"}

// expected names a Go type of this package as a reader of the YAML knows it.
func expected(goType string) string {
	switch {
	case goType == "bool":
		return "true or false"
	case goType == "int":
		return "a number"
	case goType == "string":
		return "text"
	case strings.HasPrefix(goType, "[]"):
		return "a list"
	default:
		return "a mapping"
	}
}

func article(word string) string {
	if strings.ContainsRune("aeiou", rune(word[0])) {
		return "an " + word
	}
	return "a " + word
}
