package reload_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/reload"
	"github.com/hookd/hookd/engine/statedir"
)

// killedDir names the state directory to the process that is to be killed.
const killedDir = "HOOKD_TEST_KILLED_DIR"

// padding makes a set that is not written in one piece.
var padding = strings.Repeat("-- padding\n", 20_000)

// TestKilledReload reloads without end, and says what is live; its parent kills it.
func TestKilledReload(t *testing.T) {
	path := os.Getenv(killedDir)
	if path == "" {
		return // it is the other side of TestKill
	}
	dir, err := statedir.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, reload.Config{State: dir})
	for n := 1; ; n++ {
		text := fmt.Sprintf("%d\n%s", n, padding)
		if n%5 == 0 {
			text = "broken " + text
		}
		if out := r.Apply(change(text)); out.Published {
			fmt.Printf("live %d\n", n)
		}
	}
}

// TestKill kills a process amid its reloads, again and again: the next start finds
// the set that was live last, or the one that was just becoming live, whole.
func TestKill(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	for round := range 5 {
		told := killOne(t, path, time.Duration(20+17*round)*time.Millisecond)
		dir, err := statedir.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		sources, err := reload.LastGood(dir)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		number, rest, _ := strings.Cut(string(sources[0].Text), "\n")
		n, err := strconv.Atoi(number)
		if err != nil || rest != padding {
			t.Fatalf("round %d: a set of %q, %d bytes", round, number, len(rest))
		}
		if n < told || n > told+2 {
			t.Errorf("round %d: set %d is kept, %d was told to be live last", round, n, told)
		}
		r := newRig(t, reload.Config{State: dir})
		if out := r.Restore(sources); out.Err != nil {
			t.Errorf("round %d: %v", round, out.Err)
		}
	}
}

// killOne runs TestKilledReload, kills it some time after its first reload, and
// returns the set that it told of last.
func killOne(t *testing.T, path string, after time.Duration) int {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledReload$")
	cmd.Env = append(os.Environ(), killedDir+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	told := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		n, found := strings.CutPrefix(lines.Text(), "live ")
		if !found {
			continue
		}
		if told == 0 {
			time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		}
		if told, err = strconv.Atoi(n); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err == nil || told == 0 {
		t.Fatalf("it ended by itself, after %d", told)
	}
	return told
}
