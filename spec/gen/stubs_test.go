package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/match"
)

// The words of `is` that the prelude declares are those that match knows.
func TestPreludeKnowsTheWordsOfMatch(t *testing.T) {
	t.Parallel()
	var got, want []string
	for _, m := range regexp.MustCompile(`(?m)^function is\.(\w+)\(`).FindAllStringSubmatch(prelude, -1) {
		got = append(got, m[1])
	}
	for _, w := range match.Words() {
		want = append(want, w.Name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Every type that an annotation of the stubs names is declared in them.
func TestStubTypesAreDeclared(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "scripts", "types", "hookd.lua"))
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^---@(?:class|alias) ([\w.]+)`).FindAllSubmatch(text, -1) {
		declared[string(m[1])]++
		if declared[string(m[1])] > 1 {
			t.Errorf("%s is declared twice", m[1])
		}
	}
	uses := regexp.MustCompile(`(?m)^---@(?:field \S+|param \S+|return|overload|alias \S+|class \S+) (.*)$`)
	name := regexp.MustCompile(`\b(?:hookd|flow)\.\w+(?:\.\w+)*`)
	n := 0
	for _, m := range uses.FindAllSubmatch(text, -1) {
		for _, typ := range name.FindAllString(typePart(string(m[1])), -1) {
			n++
			if declared[typ] == 0 {
				t.Errorf("%s is not declared: %s", typ, m[0])
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d uses of types found", n)
	}
}

// typePart cuts the prose behind an annotation's type.
func typePart(text string) string {
	if strings.HasPrefix(text, "fun(") {
		return text
	}
	typ, _, _ := strings.Cut(text, " ")
	return typ
}
