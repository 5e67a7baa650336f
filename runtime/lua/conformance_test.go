package lua

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/hookdev"
	"github.com/hookd/hookd/runtime/lua/source"
)

const (
	conformance = "testdata/conformance"
	// theDifferences holds what is meant to differ from lua5.1, and nothing else.
	theDifferences = "differences.lua"
)

// TestConformance runs the programs of testdata/conformance and compares what
// they print, line by line, with what PUC Lua 5.1 printed. All lines are the
// same, but those of differences.lua, which all differ.
func TestConformance(t *testing.T) {
	t.Parallel()
	for _, name := range conformanceFiles(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := instrumented(t, name)
			want, got := printedByLua51(t, name, text), printedByUs(t, text)
			if name == theDifferences {
				allDiffer(t, want, got)
				return
			}
			compareLines(t, strings.Split(want, "\n"), strings.Split(got, "\n"))
		})
	}
}

// compareLines reports the first lines that differ.
func compareLines(t *testing.T, want, got []string) {
	t.Helper()
	const most = 20
	if len(want) != len(got) {
		t.Errorf("lua5.1 printed %d lines, we %d, the last %q", len(want)-1, len(got)-1, got[max(len(got)-2, 0)])
	}
	shown := 0
	for i := range min(len(want), len(got)) {
		if want[i] != got[i] && shown < most {
			shown++
			t.Errorf("lua5.1 and we:\n%s\n%s", want[i], got[i])
		}
	}
}

// allDiffer checks that every check printed, and something else than lua5.1.
func allDiffer(t *testing.T, want, got string) {
	t.Helper()
	theirs, ours := strings.Split(want, "\n"), strings.Split(got, "\n")
	if len(theirs) != len(ours) {
		t.Fatalf("lua5.1 printed %d lines, we %d:\n%s", len(theirs), len(ours), got)
	}
	for i, line := range theirs {
		if line != "" && line == ours[i] {
			t.Errorf("line %s is no difference any more", line)
		}
	}
}

func conformanceFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(conformance, "*.lua"))
	if err != nil || len(files) < 2 {
		t.Fatalf("no programs: %v", err)
	}
	var names []string
	for _, f := range files {
		if name := filepath.Base(f); name != "prelude.lua" {
			names = append(names, name)
		}
	}
	return names
}

// check is where a program checks something.
var check = regexp.MustCompile(`(^|[^\w.:])(is|fails|refuses)\(`)

// instrumented returns a program with the prelude in front of its first line,
// and each check told where it stands: line, and number on the line.
func instrumented(t *testing.T, name string) []byte {
	t.Helper()
	prelude, err := os.ReadFile(filepath.Join(conformance, "prelude.lua"))
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(filepath.Join(conformance, name))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	out.WriteString(strings.ReplaceAll(string(prelude), "\n", " "))
	for i, line := range strings.Split(string(program), "\n") {
		n := 0
		out.WriteString(check.ReplaceAllStringFunc(line, func(call string) string {
			if n++; n == 1 {
				return fmt.Sprintf("%s%d, ", call, i+1)
			}
			return fmt.Sprintf("%s\"%d.%d\", ", call, i+1, n)
		}))
		out.WriteByte('\n')
	}
	return out.Bytes()
}

// printer takes what scripts print.
type printer struct {
	hookdev.Functions
	out *strings.Builder
}

func (p printer) LogInfo(_ *event.Caller, message string, _ any) error {
	p.out.WriteString(message + "\n")
	return nil
}

// printedByUs runs a program as a script's code runs.
func printedByUs(t *testing.T, text []byte) string {
	t.Helper()
	var out strings.Builder
	cat := catalogue.New(catalogue.All()...)
	rt := New(Config{
		Catalogue: cat, Functions: printer{out: &out}, Limits: engine.Limits{},
		Check: func(*source.Chunk) diag.List { return nil },
	})
	p, diags := rt.Compile(engine.Source{Path: "t.lua", Text: text})
	if diags.HasErrors() {
		t.Fatal(rendered(diags))
	}
	prog := p.(*program)
	in := newInstance(prog, &engine.Env{Shard: event.NewShard(0)})
	defer in.Close()
	in.mode = handling
	L := in.vm.Begin(1<<30, "the program")
	L.Push(L.NewFunctionFromProto(prog.proto))
	if err := in.vm.Call(0, 0); err != nil {
		fmt.Fprintf(&out, "failed: %v\n", err)
	}
	in.vm.End()
	return out.String()
}

// printedByLua51 returns what lua5.1 prints: from the program where it is
// installed, from the file beside the program elsewhere. Both must agree.
func printedByLua51(t *testing.T, name string, text []byte) string {
	t.Helper()
	golden := filepath.Join(conformance, strings.TrimSuffix(name, ".lua")+".out")
	recorded, readErr := os.ReadFile(golden)
	path, err := exec.LookPath("lua5.1")
	if err != nil {
		if readErr != nil {
			t.Fatal(readErr)
		}
		return string(recorded)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "t.lua"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "t.lua")
	cmd.Dir = dir
	var errs bytes.Buffer
	cmd.Stderr = &errs
	printed, err := cmd.Output()
	if err != nil {
		t.Fatalf("lua5.1: %v: %s", err, errs.String())
	}
	switch {
	case *update:
		if err := os.WriteFile(golden, printed, 0o644); err != nil {
			t.Fatal(err)
		}
	case !bytes.Equal(printed, recorded):
		t.Fatalf("%s is not what lua5.1 prints; run with -update", golden)
	}
	return string(printed)
}

// TestDifferencesAreDocumented compares the reasons in differences.lua, one a
// comment line, with the list in the guide.
func TestDifferencesAreDocumented(t *testing.T) {
	t.Parallel()
	lines := func(file, prefix string) (list []string) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, section, ok := strings.Cut(string(text), "## Differences from Lua 5.1"); ok {
			section, _, _ = strings.Cut(section, "\n## ")
			text = []byte(section)
		}
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, prefix); ok {
				list = append(list, strings.TrimSpace(rest))
			}
		}
		return list
	}
	listed := lines(filepath.Join(conformance, theDifferences), "-- ")
	documented := lines("../../spec/guide/library.md", "- ")
	if diff := cmp.Diff(listed, documented); diff != "" || len(listed) == 0 {
		t.Errorf("the list and the guide (-list +guide):\n%s", diff)
	}
}
