package console

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hookd/hookd/runtime/lua/source"
	"github.com/hookd/hookd/runtime/lua/syntax"
)

// maxDefinitions is how many inputs that gave names a value are remembered.
const maxDefinitions = 1000

// definition is an input that gave names a value.
type definition struct {
	names []string
	text  string
}

// define remembers what an input gave a value.
func (s *Session) define(text string) {
	chunk, _ := source.Parse("", []byte(text))
	if chunk == nil {
		return
	}
	var names []string
	for _, st := range chunk.Stmts {
		names = append(names, syntax.Assigned(st)...)
		names = append(names, syntax.Declared(st)...)
	}
	if len(names) == 0 {
		return
	}
	if len(s.defined) == maxDefinitions {
		s.defined = slices.Delete(s.defined, 0, 1)
	}
	s.defined = append(s.defined, definition{names, text})
}

var word = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`)

// script is a script of what the session declared, behind the inputs that its
// names come from.
func (s *Session) script() (string, error) {
	rules := s.rules()
	if len(rules) == 0 {
		return "", errors.New("nothing is declared here that could be saved")
	}
	var texts []string
	for _, d := range rules {
		if !slices.Contains(texts, d.text) {
			texts = append(texts, d.text)
		}
	}
	used := map[string]bool{}
	note := func(text string) {
		for _, w := range word.FindAllString(text, -1) {
			used[w] = true
		}
	}
	for _, t := range texts {
		note(t)
	}
	var needed []string
	have := map[string]bool{}
	for i := len(s.defined) - 1; i >= 0; i-- {
		d := s.defined[i]
		if slices.Contains(texts, d.text) || !slices.ContainsFunc(d.names, func(n string) bool { return used[n] && !have[n] }) {
			continue
		}
		for _, n := range d.names {
			have[n] = true
		}
		note(d.text)
		needed = append(needed, d.text)
	}
	slices.Reverse(needed)
	var b strings.Builder
	fmt.Fprintf(&b, "-- From a console.\n")
	for _, t := range append(needed, texts...) {
		b.WriteString("\n" + strings.TrimRight(t, "\n") + "\n")
	}
	return b.String(), nil
}
