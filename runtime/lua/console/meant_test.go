package console

import (
	"strings"
	"testing"
)

// TestCommandWithoutColon types what other programs take for a command.
func TestCommandWithoutColon(t *testing.T) {
	d := sit(t)
	for input, want := range map[string]string{
		"help":                "commands begin with a colon: :help",
		"exit":                "commands begin with a colon: :quit",
		"doc flow.conn_end":   "commands begin with a colon: :doc",
		"watch flow.conn_end": "commands begin with a colon: :watch",
		"reload now":          "error",
	} {
		if r := d.Do(t.Context(), input); !r.Failed || !strings.Contains(r.Text, want) {
			t.Errorf("%s: %q, failed %v", input, r.Text, r.Failed)
		}
	}
	if r := d.Do(t.Context(), "help = 3 return help"); r.Failed || r.Text != "3" {
		t.Errorf("a name of one's own: %q", r.Text)
	}
}

// TestHelpFits looks for descriptions that make the list hard to read.
func TestHelpFits(t *testing.T) {
	r := sit(t).Do(t.Context(), ":help")
	for _, line := range strings.Split(r.Text, "\n") {
		if len(line) > 90 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}
