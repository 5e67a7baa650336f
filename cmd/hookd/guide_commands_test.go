package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// shellEnd is where the words of a command end: a comment, a pipe, another command.
var shellEnd = regexp.MustCompile(`\s+#|[|;&<>]|2>`)

// TestGuideCommands reads every command that the guides and READMEs show and wants
// that hookd has it, with those flags. Those of sessions run elsewhere too.
func TestGuideCommands(t *testing.T) {
	t.Parallel()
	var pages []string
	for _, glob := range []string{"README.md", "spec/guide/*.md", "examples/*.md", "examples/*/README.md", "scripts/*/README.md", "spec/bench/*.md"} {
		found, err := filepath.Glob(filepath.Join("../..", glob))
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	read := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			words := commandIn(line)
			if words == nil {
				continue
			}
			read++
			cmd, rest, err := newRoot().Find(words)
			if err == nil {
				err = cmd.ParseFlags(rest)
			}
			if err != nil {
				t.Errorf("%s:%d: %s: %v", page, i+1, strings.TrimSpace(line), err)
			}
		}
	}
	if read < 60 {
		t.Errorf("only %d commands found", read)
	}
}

// commandIn returns the arguments of the hookd command that a line shows; nil if it
// shows none.
func commandIn(line string) []string {
	text := strings.TrimSpace(line)
	indented := strings.HasPrefix(line, "    ")
	if rest, session := strings.CutPrefix(text, "$ "); session {
		text, indented = rest, true
	}
	text = strings.TrimPrefix(text, "sudo ")
	args, ok := strings.CutPrefix(text, "hookd ")
	if !ok || !indented && !strings.HasPrefix(line, "hookd ") && !strings.HasPrefix(line, "sudo ") {
		return nil
	}
	// Quoted arguments may hold anything; what they are does not matter here.
	args = regexp.MustCompile(`'[^']*'|"[^"]*"`).ReplaceAllString(args, "quoted")
	if at := shellEnd.FindStringIndex(args); at != nil {
		args = args[:at[0]]
	}
	return strings.Fields(args)
}
