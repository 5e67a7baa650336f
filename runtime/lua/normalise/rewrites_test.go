package normalise

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files with what lua5.1 prints")

// example is a program that one rewrite is needed for.
type example struct {
	rewrite    Rewrites
	title      string
	program    string
	want       string
	notInLua51 bool
	head       string // its part of the file, up to the output
}

const examplesFile = "testdata/cases.txt"

func examples(t testing.TB) (preface string, list []example) {
	t.Helper()
	data, err := os.ReadFile(examplesFile)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(data), "#### ")
	for _, part := range parts[1:] {
		var e example
		e.head, e.want, _ = strings.Cut(part, "----\n")
		title, program, _ := strings.Cut(e.head, "\n")
		name, title, _ := strings.Cut(title, ": ")
		e.title, e.notInLua51 = strings.CutPrefix(title, "* ")
		e.program = program
		for w := Rewrites(1); w < end; w <<= 1 {
			if w.String() == name {
				e.rewrite = w
			}
		}
		if e.rewrite == 0 {
			t.Fatalf("%s: no rewrite is called %q", examplesFile, name)
		}
		list = append(list, e)
	}
	return parts[0], list
}

// TestExamples runs each example as it is normalised and with its rewrite off.
func TestExamples(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	seen := Rewrites(0)
	_, list := examples(t)
	for _, e := range list {
		seen |= e.rewrite
		if diff := cmp.Diff(e.want, m.run(e.program, 0)); diff != "" {
			t.Errorf("%v: %s (-want +got):\n%s", e.rewrite, e.title, diff)
		}
		if m.run(e.program, e.rewrite) == e.want {
			t.Errorf("%v: %s: the rewrite is not needed", e.rewrite, e.title)
		}
		once, twice := dump(t, e.program, 1), dump(t, e.program, 2)
		if diff := cmp.Diff(once, twice); diff != "" {
			t.Errorf("%v: %s: normalised twice (-once +twice):\n%s", e.rewrite, e.title, diff)
		}
	}
	if seen != All {
		t.Errorf("no example for: %v", All&^seen)
	}
}

// TestExamplesInLua51 holds the examples' outputs against lua5.1.
func TestExamplesInLua51(t *testing.T) {
	t.Parallel()
	preface, list := examples(t)
	var programs []string
	for _, e := range list {
		programs = append(programs, e.program)
	}
	fresh := preface
	for i, got := range lua51(t, programs) {
		e := list[i]
		if e.notInLua51 {
			got = e.want
		}
		if fresh += "#### " + e.head + "----\n" + got; !*update && got != e.want {
			t.Errorf("%v: %s: lua5.1 prints %q", e.rewrite, e.title, got)
		}
	}
	if *update {
		if err := os.WriteFile(examplesFile, []byte(fresh), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}
