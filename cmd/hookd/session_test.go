package main

import (
	"os"
	"os/exec"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hookd/hookd/spec/testbed"
)

// TestEditingSession runs the session that the example shows.
func TestEditingSession(t *testing.T) {
	p := scriptParams()
	p.Files = []string{"../../examples/editing/session.txtar"}
	testscript.Run(t, p)
}

// TestConsoleSession has tmux sit at a console, as the example shows.
func TestConsoleSession(t *testing.T) {
	for _, program := range []string{"bash", "tmux"} {
		_, err := exec.LookPath(program)
		testbed.Need(t, program, err)
	}
	binary, err := exec.LookPath("hookd") // of TestMain
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "../../examples/editing/console.sh", binary)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
