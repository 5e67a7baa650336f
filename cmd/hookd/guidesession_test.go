package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hookd/hookd/spec/testbed"
)

// guideStep is a command of a guide and what it is to print: "…" is whatever there is,
// alone on a line any lines.
type guideStep struct {
	command string
	want    []string
}

// sessionOf returns the commands of a page's blocks that show a terminal.
func sessionOf(page string) (list []guideStep) {
	inside := false
	for line := range strings.Lines(page) {
		line = strings.TrimSuffix(line, "\n")
		switch command, isCommand := strings.CutPrefix(line, "$ "); {
		case strings.HasPrefix(line, "```"):
			inside = line == "```console"
		case !inside:
		case isCommand:
			list = append(list, guideStep{command: command})
		case len(list) > 0:
			last := &list[len(list)-1]
			last.want = append(last.want, line)
		}
	}
	return list
}

var number, exitCode = regexp.MustCompile(`\d+`), regexp.MustCompile(`^\d+$`)

// pattern returns what matches the lines. Numbers are any: the daemon may have seen by
// itself what it is then told.
func (s *guideStep) pattern() *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`\A`)
	for _, line := range s.want {
		if line == "…" {
			b.WriteString(`(?:.*\n)*?`)
			continue
		}
		parts := strings.Split(line, "…")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
			if !exitCode.MatchString(line) {
				parts[i] = number.ReplaceAllLiteralString(parts[i], `\d+`)
			}
		}
		b.WriteString(strings.Join(parts, ".*") + `\n`)
	}
	return regexp.MustCompile(b.String() + `\z`)
}

// TestReloadGuide runs the session that the guide on reloads shows, in one shell.
func TestReloadGuide(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for traffic")
	}
	bash, err := exec.LookPath("bash")
	testbed.Need(t, "bash", err)
	page, err := os.ReadFile("../../spec/guide/reload.md")
	if err != nil {
		t.Fatal(err)
	}
	session := sessionOf(string(page))
	if len(session) < 15 {
		t.Fatalf("%d commands", len(session))
	}
	dir := t.TempDir()
	examples, err := filepath.Abs("../../examples")
	if err == nil {
		err = os.Symlink(examples, filepath.Join(dir, "examples"))
	}
	if err != nil {
		t.Fatal(err)
	}
	const mark = "-- command %d --"
	var script strings.Builder
	script.WriteString("trap 'kill $(jobs -p) 2>/dev/null' EXIT\n(exit 0)\n")
	for i, s := range session {
		fmt.Fprintf(&script, "code=$?; echo '"+mark+"'; (exit $code)\n%s\n", i, s.command)
	}
	cmd := exec.CommandContext(t.Context(), bash, "--norc", "-c", script.String())
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+dir, "NO_COLOR=1")
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("the shell: %v", err)
	}
	rest := string(text)
	_, rest, _ = strings.Cut(rest, fmt.Sprintf(mark, 0)+"\n")
	for i, s := range session {
		var got string
		got, rest, _ = strings.Cut(rest, fmt.Sprintf(mark, i+1)+"\n")
		if !s.pattern().MatchString(got) {
			t.Errorf("$ %s\n%s\nnot\n%s", s.command, got, strings.Join(s.want, "\n"))
		}
	}
}
