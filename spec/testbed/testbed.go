// Package testbed is what tests ask of the machine and of who runs them: whether the
// numbers that are promised are to be reached, whether what is missing may be done
// without, and a user without rights.
//
// Its functions may be called from any goroutine, but those that take a test, from the
// test's own.
package testbed

import (
	"os"
	"testing"
)

// Proving reports whether the numbers that are promised are asked for, as
// spec/prove/run does (HOOKD_PROVE=1); other runs take a part of them.
func Proving() bool { return os.Getenv("HOOKD_PROVE") == "1" }

// Need ends the test unless err is nil: it fails in CI (HOOKD_CI=1), which has all that
// tests need, and is skipped elsewhere. what says what is needed.
func Need(t testing.TB, what string, err error) {
	t.Helper()
	switch {
	case err == nil:
	case os.Getenv("HOOKD_CI") == "1":
		t.Fatalf("%s needed: %v", what, err)
	default:
		t.Skipf("%s needed: %v", what, err)
	}
}
