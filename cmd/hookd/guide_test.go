package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestGuides checks every block of Lua in the guides and in the README: rules
// load, specs parse.
func TestGuides(t *testing.T) {
	pages, err := filepath.Glob("../../spec/guide/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no guides: %v", err)
	}
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		script := ""
		blocks := luaBlocks(string(text))
		for _, line := range slices.Sorted(maps.Keys(blocks)) {
			block := blocks[line]
			if strings.Contains(block, "describe(") {
				if script != "" {
					t.Run(fmt.Sprintf("%s:%d", filepath.Base(page), line), func(t *testing.T) { runsSpec(t, script, block) })
				}
				continue
			}
			script = block
			t.Run(fmt.Sprintf("%s:%d", filepath.Base(page), line), func(t *testing.T) {
				t.Chdir(t.TempDir())
				if err := os.WriteFile("block.lua", []byte(block), 0o644); err != nil {
					t.Fatal(err)
				}
				var out bytes.Buffer
				if code := run([]string{"check", "block.lua"}, nil, &out, &out); code != exitDone {
					t.Errorf("exit %d\n%s", code, &out)
				}
			})
		}
	}
}

// runsSpec runs a spec with the block of Lua that stands before it on the page.
func runsSpec(t *testing.T, script, spec string) {
	dir := t.TempDir()
	for name, text := range map[string]string{"main.lua": script, "main_spec.lua": spec} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if code := run([]string{"test", dir}, nil, &out, &out); code != exitDone {
		t.Errorf("exit %d\n%s", code, &out)
	}
}

// luaBlocks returns the fenced blocks of Lua by the line they start at.
func luaBlocks(text string) map[int]string {
	blocks := map[int]string{}
	start, inside := 0, false
	var b strings.Builder
	for i, line := range strings.Split(text, "\n") {
		switch {
		case !inside && strings.HasPrefix(line, "```lua"):
			inside, start = true, i+2
			b.Reset()
		case inside && strings.HasPrefix(line, "```"):
			inside = false
			blocks[start] = b.String()
		case inside:
			b.WriteString(line + "\n")
		}
	}
	return blocks
}

// TestReadme runs the command that the README shows and wants what it prints.
func TestReadme(t *testing.T) {
	t.Chdir("../..")
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "    go run ./cmd/hookd ")
	if !ok {
		t.Fatal("the README shows no command")
	}
	line, rest, _ := strings.Cut(rest, "\n")
	_, rest, _ = strings.Cut(rest, "```\n")
	want, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("the README shows no output")
	}
	var out, logs bytes.Buffer
	if code := run(strings.Fields(line), nil, &out, &logs); code != exitDone {
		t.Fatalf("exit %d\n%s", code, &logs)
	}
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

// TestEveryWordIsExplained checks that doc knows every global that is neither
// Lua's own nor a family.
func TestEveryWordIsExplained(t *testing.T) {
	for _, word := range declaringWords {
		if found, err := docWord(&bytes.Buffer{}, word); err != nil || !found {
			t.Errorf("%s: %v, %v", word, found, err)
		}
	}
}
