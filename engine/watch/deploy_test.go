package watch_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

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
	call := func(t *testing.T, name string, args ...string) (took time.Duration) {
		t.Helper()
		begin := time.Now()
		cmd := exec.Command(name, args...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
		return time.Since(begin)
	}
	// The defaults, and longer times where the machine let a program stand still.
	begin := func(t *testing.T, settle time.Duration) (*watched, time.Duration) {
		t.Helper()
		return startWith(t, watch.Config{Paths: []string{"rules"}, SettleOne: 2 * settle, SettleMany: 10 * settle, SettleMax: time.Minute}), 2 * settle
	}
	// told reports whether that is told; if not, the program took too long.
	told := func(t *testing.T, h *watched, want string, took, most time.Duration) bool {
		t.Helper()
		got := describe(h.next())
		if got != want && took < most {
			t.Errorf("got %s\nwant %s", got, want)
		}
		return got == want || took < most
	}
	t.Run("cp -r", func(t *testing.T) {
		undisturbed(t, func(settle time.Duration) bool {
			t.Chdir(t.TempDir())
			must(t, os.Mkdir("rules", 0o755), write("rules/00.lua", "old"))
			want := fifty(t, "next", "new")
			h, most := begin(t, settle)
			defer h.end()
			if !told(t, h, want, call(t, "cp", "-r", "next/.", "rules"), most) {
				return false
			}
			h.quietFor(max(100*time.Millisecond, 12*settle))
			return true
		})
	})
	t.Run("git checkout", func(t *testing.T) {
		t.Chdir(t.TempDir())
		git := func(args ...string) time.Duration {
			t.Helper()
			return call(t, "git", append([]string{"-C", "rules", "-c", "user.name=a", "-c", "user.email=a@example.net"}, args...)...)
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
		undisturbed(t, func(settle time.Duration) bool {
			git("checkout", "-q", "two")
			h, most := begin(t, settle)
			defer h.end()
			for range 2 {
				if !told(t, h, old, git("checkout", "-q", "one"), most) || !told(t, h, next, git("checkout", "-q", "two"), most) {
					return false
				}
			}
			h.quietFor(max(100*time.Millisecond, 12*settle))
			return true
		})
	})
}
