package msg

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the pages and golden files anew")

// torture is one message of RFC 4475 or RFC 5118 and what becomes of it here.
type torture struct {
	rfc, section, name string
	want               string // see outcome
	note               string
	own                string // the same defect, in a message of our own, where the collection has none
}

const (
	relayed = "relayed"
	dropped = "dropped"
)

// outcome says what the message layer makes of bytes that came in one datagram.
func outcome(raw []byte) string {
	var m Message
	if err := m.Parse(raw, DefaultLimits()); err != nil {
		return dropped
	}
	f := m.Check()
	if !f.Found() && m.IsRequest() {
		f = m.CheckHop()
	}
	switch {
	case !f.Found():
		return relayed
	case !m.IsRequest():
		return dropped
	default:
		return fmt.Sprintf("%d %s", f.Code, f.Reason)
	}
}

func TestTorture(t *testing.T) {
	t.Parallel()
	for _, row := range tortures {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			raw := []byte(strings.ReplaceAll(row.own, "\n", "\r\n"))
			if row.own == "" {
				raw = collected(t, "rfc"+row.rfc+"/"+row.name+".dat")
			}
			if got := outcome(raw); got != row.want {
				t.Fatalf("got %q, want %q of\n%s", got, row.want, raw)
			}
			unchanged(t, raw)
		})
	}
}

// unchanged wants a message without edits to be written as it came.
func unchanged(t *testing.T, raw []byte) {
	var m Message
	if m.Parse(raw, DefaultLimits()) != nil {
		return
	}
	var e Edits
	e.Reset(&m)
	if !bytes.Equal(e.AppendTo(nil), raw) {
		t.Error("written without edits it is another message")
	}
}

// collected reads a message of the collection, which is not part of this
// repository.
func collected(t *testing.T, name string) []byte {
	t.Helper()
	dir := os.Getenv("HOOKD_CORPORA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "corpora", "public")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "sip", filepath.FromSlash(name)))
	if err != nil {
		t.Skip("no collection of messages: ", err)
	}
	return raw
}

// TestTorturePage keeps the page in step with the table.
func TestTorturePage(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("# What becomes of the torture messages\n\n" +
		"The messages of RFC 4475 and RFC 5118, as a proxy here treats each: it relays the message byte for byte but for what a\n" +
		"hop has to change, answers it, or drops it. Tests run the table (`stacks/sip/msg/torture_test.go`). A proxy leaves\n" +
		"to the ends of a call what only they need to understand.\n\n" +
		"| RFC, section | message | outcome | why |\n|---|---|---|---|\n")
	for _, r := range tortures {
		fmt.Fprintf(&b, "| %s, %s | `%s` | %s | %s |\n", r.rfc, r.section, r.name, r.want, r.note)
	}
	path := filepath.Join("..", "..", "..", "spec", "sip", "torture.md")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(page), b.String()); diff != "" {
		t.Errorf("the page is stale, run with -update:\n%s", diff)
	}
}
