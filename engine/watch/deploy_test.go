package watch_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/hookd/hookd/engine/watch"
	"github.com/hookd/hookd/spec/testbed"
)

// fifty writes fifty scripts below dir, in two folders, and returns how they are
// described where the watched folder is called rules.
func fifty(t *testing.T, dir, text string) string {
	t.Helper()
	must(t, os.MkdirAll(dir+"/sub", 0o755))
	var top, sub []string
	for i := range 25 {
		must(t, write(fmt.Sprintf("%s/%02d.lua", dir, i), text), write(fmt.Sprintf("%s/sub/%02d.lua", dir, i), text))
		top = append(top, fmt.Sprintf("rules/%02d.lua=%s", i, text))
		sub = append(sub, fmt.Sprintf("rules/sub/%02d.lua=%s", i, text))
	}
	return strings.Join(append(top, sub...), " ")
}

// TestDeployers checks what programs do that bring many files: all of it is one
// change.
func TestDeployers(t *testing.T) {
	for _, program := range []string{"cp", "git"} {
		_, err := exec.LookPath(program)
		testbed.Need(t, program, err)
	}
	call := func(t *testing.T, name string, args ...string) {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
	}
	t.Run("cp -r", func(t *testing.T) {
		t.Chdir(t.TempDir())
		must(t, os.Mkdir("rules", 0o755), write("rules/00.lua", "old"))
		want := fifty(t, "next", "new")
		h := startWith(t, watch.Config{Paths: []string{"rules"}})
		call(t, "cp", "-r", "next/.", "rules")
		if got := describe(h.next()); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
		h.quiet()
	})
	t.Run("git checkout", func(t *testing.T) {
		t.Chdir(t.TempDir())
		git := func(args ...string) {
			t.Helper()
			call(t, "git", append([]string{"-C", "rules", "-c", "user.name=a", "-c", "user.email=a@example.net"}, args...)...)
		}
		old := fifty(t, "rules", "1")
		git("init", "-q", "-b", "one")
		git("add", ".")
		git("commit", "-q", "-m", "one")
		git("checkout", "-q", "-b", "two")
		next := fifty(t, "rules", "2")
		must(t, os.RemoveAll("rules/sub"), write("rules/more.lua", "2"))
		next = next[:strings.Index(next, " rules/sub/")] + " rules/more.lua=2"
		git("add", "-A", ".")
		git("commit", "-q", "-m", "two")
		h := startWith(t, watch.Config{Paths: []string{"rules"}})
		for range 2 {
			git("checkout", "-q", "one")
			if got := describe(h.next()); got != old {
				t.Errorf("got %s\nwant %s", got, old)
			}
			git("checkout", "-q", "two")
			if got := describe(h.next()); got != next {
				t.Errorf("got %s\nwant %s", got, next)
			}
		}
		h.quiet()
	})
}
