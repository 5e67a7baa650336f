package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/hookd/hookd/scripts"
)

// stub is one thing that the editor stubs declare: what is said about it, and
// the line that declares it.
type stub struct {
	notes []string
	code  string
}

// docWord explains one of the words that scripts have beside the catalogue, from
// the editor stubs; false where there is no such word.
func docWord(w io.Writer, word string) (bool, error) {
	list, err := shippedStubs()
	if err != nil {
		return false, err
	}
	found := false
	for _, s := range list {
		title := s.title(word)
		if title == "" {
			continue
		}
		if found {
			fmt.Fprintln(w)
		}
		found = true
		fmt.Fprintln(w, title)
		for _, note := range s.notes {
			if line := plainNote(note); line != "" {
				fmt.Fprintln(w, "  "+line)
			}
		}
	}
	return found, nil
}

// shippedStubs are those of what the catalogue does not have.
func shippedStubs() ([]stub, error) {
	text, err := scripts.Types.ReadFile("types/hookd.lua")
	if err != nil {
		return nil, fmt.Errorf("read stubs: %w", err)
	}
	return stubs(string(text)), nil
}

// stubs takes a stub file apart at its blank lines and declarations.
func stubs(text string) []stub {
	var list []stub
	var s stub
	for _, line := range append(strings.Split(text, "\n"), "") {
		switch {
		case strings.HasPrefix(line, "---"):
			s.notes = append(s.notes, strings.TrimSpace(line[3:]))
		default:
			if s.code = line; len(s.notes) > 0 {
				list = append(list, s)
			}
			s = stub{}
		}
	}
	return list
}

// title names the stub if it is about word: the word itself, what its
// declaration holds, a function below it.
func (s stub) title(word string) string {
	signature, isFunc := strings.CutPrefix(s.code, "function ")
	signature = strings.TrimSuffix(signature, " end")
	owner := word
	if word == "store" {
		owner = "store_handle"
	}
	switch {
	case isFunc && strings.HasPrefix(signature, word+"("),
		isFunc && strings.HasPrefix(signature, word+"."),
		isFunc && strings.HasPrefix(signature, owner+":"):
		return strings.Replace(signature, "store_handle:", "s:", 1)
	case s.code == word+" = {}":
		return word
	}
	for _, note := range s.notes {
		class, ok := strings.CutPrefix(note, "@class hookd.")
		name, _, _ := strings.Cut(class, ":")
		switch {
		case !ok:
		case name == word+".decl" && (word == "script" || word == "settings"):
			return word + " { … }"
		case name == word+".decl":
			return word + ` "name" { … }`
		case word == "this" && (name == "call" || name == "this"):
			return "this, " + map[string]string{"call": "everywhere", "this": "what some events have"}[name]
		}
	}
	return ""
}

// plainNote renders one annotation for a person.
func plainNote(note string) string {
	kind, rest, annotated := strings.Cut(strings.TrimPrefix(note, "@"), " ")
	if !strings.HasPrefix(note, "@") {
		return note
	}
	if annotated && (kind == "field" || kind == "param") {
		name, doc, _ := strings.Cut(rest, " ")
		return fmt.Sprintf("%-16s %s", name, doc)
	}
	return ""
}
