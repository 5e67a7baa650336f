// Package msgtest has the torture messages of RFC 4475 and RFC 5118, and what has to become
// of each. The package is for tests only. What it holds does not change, so any goroutine may
// use it.
package msgtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Torture is one message and what becomes of it here.
type Torture struct {
	// RFC, Section and Name say which one it is: 4475, 3.1.1.1, wsinv.
	RFC, Section, Name string
	// Want is what a proxy does: [Relayed], [Dropped], or the status and reason that it
	// answers with.
	Want string
	// Registrar is what a registrar answers a REGISTER with: its status, and the URIs that
	// are registered then.
	Registrar string
	// Reads is what has to be understood of it, "forwards=68; body=150".
	Reads string
	// Note says why.
	Note string

	own string // the same defect, in a message of our own, where the collection has none
}

// What a proxy does beside answering. A message that is relayed is the same on its other side
// but for what a hop has to change.
const (
	Relayed = "relayed"
	Dropped = "dropped"
)

// Raw returns the message: that of the collection, which is not part of this repository, or
// one of our own in its place. Without the collection the test is skipped. root is where the
// module is.
func (r *Torture) Raw(t testing.TB, root string) []byte {
	t.Helper()
	if raw := r.Own(); raw != nil {
		return raw
	}
	dir := os.Getenv("HOOKD_CORPORA")
	if dir == "" {
		dir = filepath.Join(root, "..", "shared", "corpora", "public")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "sip", "rfc"+r.RFC, r.Name+".dat"))
	if err != nil {
		t.Skip("no collection of messages: ", err)
	}
	return raw
}

// Own returns the message if it is one of our own, else nil.
func (r *Torture) Own() []byte {
	if r.own == "" {
		return nil
	}
	return []byte(strings.ReplaceAll(r.own, "\n", "\r\n"))
}
