package watch_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/watch"
	"github.com/hookd/hookd/spec/testbed"
)

// watched is a watcher that runs, and what it told.
type watched struct {
	t       *testing.T
	w       *watch.Watcher
	changes chan watch.Change
	logs    *lines
	again   atomic.Bool // ask to be told again
	end     func()      // ends the watcher; the test's end does, too
}

// lines collects log lines from any goroutine.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// start runs a watcher over paths, by the kernel's events alone or by looking
// alone, that settles quickly.
func start(t *testing.T, poll bool, paths ...string) *watched {
	t.Helper()
	return startWith(t, watch.Config{Paths: paths, Poll: poll, SettleOne: 15 * time.Millisecond, SettleMany: 60 * time.Millisecond})
}

func startWith(t *testing.T, cfg watch.Config) *watched {
	t.Helper()
	h := &watched{t: t, changes: make(chan watch.Change, 100), logs: &lines{}}
	cfg.PollEvery, cfg.SafetyEvery = 20*time.Millisecond, time.Hour
	cfg.Log = slog.New(slog.NewTextHandler(h.logs, nil))
	h.w = watch.New(cfg)
	h.w.Read()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	ready := make(chan struct{})
	go func() {
		close(ready)
		done <- h.w.Run(ctx, func(c watch.Change) {
			if h.again.Load() {
				h.w.Again()
			}
			h.changes <- c
		})
	}()
	<-ready
	time.Sleep(20 * time.Millisecond) // the watches are set
	h.end = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(h.end)
	return h
}

// next waits for a change.
func (h *watched) next() watch.Change {
	h.t.Helper()
	select {
	case c := <-h.changes:
		return c
	case <-time.After(time.Minute):
		h.t.Fatalf("no change was told\n%s", h.logs.text.String())
		return watch.Change{}
	}
}

// quiet checks that nothing more is told.
func (h *watched) quiet() {
	h.t.Helper()
	h.quietFor(100 * time.Millisecond)
}

func (h *watched) quietFor(d time.Duration) {
	h.t.Helper()
	select {
	case c := <-h.changes:
		h.t.Errorf("told of %s", describe(c))
	case <-time.After(d):
	}
}

// describe puts a change into words: "rules/a.lua=text …".
func describe(c watch.Change) string {
	if c.Err != nil {
		return "error: " + c.Err.Error()
	}
	var words []string
	for _, s := range c.Sources {
		words = append(words, s.Path+"="+string(s.Text))
	}
	return strings.Join(words, " ")
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func write(name, text string) error { return os.WriteFile(name, []byte(text), 0o644) }

// put is write in one step: between the two of write, which empties the file first, the
// machine may take longer than it is waited for.
func put(name, text string) error {
	return errors.Join(write("put", text), os.Rename("put", name))
}

// TestEdits checks that each way in which editors and deployers change files is
// told of once, with the whole content, whichever way the files are watched.
func TestEdits(t *testing.T) {
	edits := []struct {
		name string
		edit func(t *testing.T)
		want string // empty: nothing is told
	}{
		{"written in place", func(t *testing.T) { must(t, write("rules/a.lua", "2")) }, "rules/a.lua=2 rules/b.lua=1"},
		{"renamed over", func(t *testing.T) {
			must(t, write("rules/a.lua.tmp", "2"), os.Rename("rules/a.lua.tmp", "rules/a.lua"))
		}, "rules/a.lua=2 rules/b.lua=1"},
		{"moved in from elsewhere", func(t *testing.T) {
			must(t, write("c.lua", "new"), os.Rename("c.lua", "rules/c.lua"))
		}, "rules/a.lua=1 rules/b.lua=1 rules/c.lua=new"},
		{"vim", func(t *testing.T) {
			must(t, write("rules/4913", ""), os.Remove("rules/4913"), os.Rename("rules/a.lua", "rules/a.lua~"))
			must(t, write("rules/a.lua", "2"), os.Remove("rules/a.lua~"))
		}, "rules/a.lua=2 rules/b.lua=1"},
		{"emacs", func(t *testing.T) {
			must(t, os.Symlink("user@host.1", "rules/.#a.lua"), write("rules/#a.lua#", "2"), write("rules/a.lua", "2"))
			must(t, os.Remove("rules/#a.lua#"), os.Remove("rules/.#a.lua"))
		}, "rules/a.lua=2 rules/b.lua=1"},
		{"saved unchanged", func(t *testing.T) { must(t, write("rules/a.lua", "1")) }, ""},
		{"touched", func(t *testing.T) { must(t, os.Chtimes("rules/a.lua", time.Now(), time.Now())) }, ""},
		{"droppings", func(t *testing.T) {
			must(t, write("rules/.a.lua.swp", "x"), write("rules/a.lua~", "x"), write("rules/.hidden.lua", "x"))
		}, ""},
		{"another file beside the folder", func(t *testing.T) { must(t, write("other.lua", "x")) }, ""},
		{"removed", func(t *testing.T) { must(t, os.Remove("rules/a.lua")) }, "rules/b.lua=1"},
		{"a folder with files", func(t *testing.T) {
			must(t, os.MkdirAll("rules/x/y", 0o755), write("rules/x/y/c.lua", "deep"))
		}, "rules/a.lua=1 rules/b.lua=1 rules/x/y/c.lua=deep"},
		{"replaced as a whole", func(t *testing.T) {
			must(t, os.Mkdir("next", 0o755), write("next/z.lua", "9"))
			must(t, os.Rename("rules", "before"), os.Rename("next", "rules"))
		}, "rules/z.lua=9"},
		{"several in one go", func(t *testing.T) {
			for i := range 50 {
				must(t, write(fmt.Sprintf("rules/%02d.lua", i), "x"))
				time.Sleep(time.Millisecond)
			}
		}, strings.TrimSpace(func() (s string) {
			for i := range 50 {
				s += fmt.Sprintf("rules/%02d.lua=x ", i)
			}
			return s + "rules/a.lua=1 rules/b.lua=1"
		}())},
		{"settings", func(t *testing.T) { must(t, write("rules/hookd.lua", "settings {}")) }, "rules/a.lua=1 rules/b.lua=1"},
	}
	for _, poll := range []bool{false, true} {
		for _, e := range edits {
			t.Run(fmt.Sprintf("%s, poll %v", e.name, poll), func(t *testing.T) {
				undisturbed(t, func(settle time.Duration) bool {
					t.Chdir(t.TempDir())
					must(t, os.Mkdir("rules", 0o755), write("rules/a.lua", "1"), write("rules/b.lua", "1"))
					h := startWith(t, watch.Config{Paths: []string{"rules"}, Poll: poll, SettleOne: settle, SettleMany: 4 * settle, SettleMax: time.Minute})
					defer h.end()
					begin := time.Now()
					e.edit(t)
					if took := time.Since(begin); took >= settle && (e.name != "several in one go" || took >= 4*settle) {
						return false
					}
					if e.want != "" {
						if got := describe(h.next()); got != e.want {
							t.Errorf("got %s\nwant %s", got, e.want)
						}
					}
					h.quietFor(max(100*time.Millisecond, 5*settle))
					return true
				})
			})
		}
	}
}

// undisturbed runs f until it says that the machine let it do in settle what it
// had to, each time with a longer settle.
func undisturbed(t *testing.T, f func(settle time.Duration) bool) {
	t.Helper()
	for settle := 15 * time.Millisecond; settle < 10*time.Second; settle *= 3 {
		if f(settle) {
			return
		}
		t.Logf("settling for %s: the edit itself took longer", settle)
	}
	t.Fatal("the machine is too busy for any edit")
}

// TestConfigMap checks the swap of a link that no event names the files of.
func TestConfigMap(t *testing.T) {
	for _, root := range []string{"cm", "scripts"} { // by itself and by a link to it
		t.Run(root, func(t *testing.T) {
			t.Chdir(t.TempDir())
			must(t, os.MkdirAll("cm/..1", 0o755), write("cm/..1/a.lua", "1"), os.Symlink("..1", "cm/..data"),
				os.Symlink("..data/a.lua", "cm/a.lua"), os.Symlink("cm", "scripts"))
			h := start(t, false, root)
			must(t, os.Mkdir("cm/..2", 0o755), write("cm/..2/a.lua", "2"), os.Symlink("..2", "cm/..data_tmp"),
				os.Rename("cm/..data_tmp", "cm/..data"), os.RemoveAll("cm/..1"))
			if got := describe(h.next()); got != root+"/a.lua=2" {
				t.Error(got)
			}
			h.quiet()
		})
	}
}

// TestLinkIsRetargeted checks deployments that switch a link to a directory.
func TestLinkIsRetargeted(t *testing.T) {
	t.Chdir(t.TempDir())
	must(t, os.MkdirAll("v1", 0o755), os.MkdirAll("v2", 0o755), write("v1/a.lua", "1"), write("v2/a.lua", "2"), os.Symlink("v1", "rules"))
	h := start(t, false, "rules")
	must(t, os.Symlink("v2", "next"), os.Rename("next", "rules"))
	if got := describe(h.next()); got != "rules/a.lua=2" {
		t.Error(got)
	}
	must(t, put("v2/a.lua", "3"))
	if got := describe(h.next()); got != "rules/a.lua=3" {
		t.Error(got)
	}
	h.quiet()
}

// TestFolderComesBack checks that a folder which is deleted is an error once,
// and that what comes in its place is watched.
func TestFolderComesBack(t *testing.T) {
	undisturbed(t, func(settle time.Duration) bool {
		t.Chdir(t.TempDir())
		must(t, os.Mkdir("rules", 0o755), write("rules/a.lua", "1"))
		h := startWith(t, watch.Config{Paths: []string{"rules"}, SettleOne: settle, SettleMany: 4 * settle})
		defer h.end()
		begin := time.Now()
		must(t, os.RemoveAll("rules"))
		if time.Since(begin) >= settle {
			return false
		}
		if c := h.next(); !errors.Is(c.Err, fs.ErrNotExist) {
			t.Errorf("deleted: %s", describe(c))
		}
		h.quietFor(max(100*time.Millisecond, 5*settle))
		begin = time.Now()
		must(t, os.Mkdir("rules", 0o755), write("rules/a.lua", "2"))
		if time.Since(begin) >= settle {
			return false
		}
		if got := describe(h.next()); got != "rules/a.lua=2" {
			t.Error(got)
		}
		must(t, put("rules/a.lua", "3"))
		if got := describe(h.next()); got != "rules/a.lua=3" {
			t.Error(got)
		}
		return true
	})
}

// TestSlowFile checks that a file which grows slowly is waited for, but not
// for ever.
func TestSlowFile(t *testing.T) {
	undisturbed(t, func(settle time.Duration) bool {
		settle *= 8
		t.Chdir(t.TempDir())
		must(t, os.Mkdir("rules", 0o755), write("rules/a.lua", "1"))
		h := startWith(t, watch.Config{Paths: []string{"rules"}, SettleOne: settle, SettleMax: 6 * settle})
		defer h.end()
		f, err := os.Create("rules/slow.lua")
		must(t, err)
		defer f.Close()
		var pause time.Duration // the longest between two writes
		last := time.Now()
		grow := func(text string) {
			time.Sleep(5 * time.Millisecond)
			_, err := f.WriteString(text)
			must(t, err)
			pause, last = max(pause, time.Since(last)), time.Now()
		}
		n := 0
		for begin := last; time.Since(begin) < 3*settle; n++ {
			grow("x")
		}
		if pause >= settle {
			return false
		}
		if got := describe(h.next()); strings.Count(got, "x") != n {
			t.Errorf("told too early: %d of %s", n, got)
		}
		last = time.Now()
		begin := last
		for len(h.changes) == 0 {
			if time.Since(begin) > 6*settle+30*time.Second {
				t.Fatal("a file that does not stop growing is waited for without end")
			}
			grow("y")
		}
		if pause >= settle {
			return false
		}
		if waited := time.Since(begin); waited < 5*settle {
			t.Errorf("waited %s", waited)
		}
		return true
	})
}

// TestHalfWritten checks that a file which is being written is not read, whatever
// else has the watcher look: here its start, and no event at all comes.
func TestHalfWritten(t *testing.T) {
	undisturbed(t, func(settle time.Duration) bool {
		settle *= 8
		t.Chdir(t.TempDir())
		must(t, os.Mkdir("rules", 0o755), write("rules/a.lua", "1"))
		w := watch.New(watch.Config{Paths: []string{"rules"}, Poll: true, PollEvery: time.Hour, SettleOne: settle})
		w.Read()
		f, err := os.Create("rules/a.lua")
		must(t, err)
		defer f.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		told := make(chan string, 10)
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx, func(c watch.Change) { told <- describe(c) }) }()
		var pause time.Duration
		n, last := 0, time.Now()
		for begin := last; time.Since(begin) < 3*settle; n++ {
			_, err := f.WriteString("x")
			must(t, err)
			pause, last = max(pause, time.Since(last)), time.Now()
			time.Sleep(5 * time.Millisecond)
		}
		got := "nothing"
		select {
		case got = <-told:
		case <-ctx.Done():
		}
		cancel()
		must(t, <-done)
		if pause >= settle/2 {
			return false
		}
		if want := "rules/a.lua=" + strings.Repeat("x", n); got != want {
			t.Errorf("told of %s, want %s", got, want)
		}
		return true
	})
}

// TestData checks that data files are watched wherever they are.
func TestData(t *testing.T) {
	t.Chdir(t.TempDir())
	must(t, os.Mkdir("rules", 0o755), os.Mkdir("lists", 0o755), write("rules/a.lua", "1"), write("rules/bad.txt", "1"), write("lists/far.txt", "1"))
	h := start(t, false, "rules")
	must(t, put("rules/bad.txt", "before it is data"))
	h.quiet()
	data := []string{"rules/bad.txt", "lists/far.txt", "lists/none.txt"}
	h.w.SetData(data)
	must(t, put("rules/bad.txt", "22"))
	if c := h.next(); len(c.Data) != 1 || c.Data[0] != "rules/bad.txt" || len(c.Sources) != 1 {
		t.Errorf("%v %s", c.Data, describe(c))
	}
	must(t, put("lists/far.txt", "22"))
	if c := h.next(); len(c.Data) != 1 || c.Data[0] != "lists/far.txt" {
		t.Errorf("%v", c.Data)
	}
	must(t, put("lists/none.txt", ""))
	if c := h.next(); len(c.Data) != 1 || c.Data[0] != "lists/none.txt" {
		t.Errorf("%v", c.Data)
	}
	h.quiet()
}

// TestChangeBeforeRun checks that a change between Read and Run is told of.
func TestChangeBeforeRun(t *testing.T) {
	t.Chdir(t.TempDir())
	must(t, os.Mkdir("rules", 0o755), write("rules/a.lua", "1"))
	w := watch.New(watch.Config{Paths: []string{"rules"}, SafetyEvery: time.Hour})
	w.Read()
	must(t, write("rules/a.lua", "2"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	told := ""
	err := w.Run(ctx, func(c watch.Change) {
		told = describe(c)
		cancel()
	})
	if err != nil || told != "rules/a.lua=2" {
		t.Errorf("%q, %v", told, err)
	}
}

// TestAgain checks that a change which was of no use is told again when any file
// changes.
func TestAgain(t *testing.T) {
	t.Chdir(t.TempDir())
	must(t, os.Mkdir("rules", 0o755), write("rules/a.lua", "1"))
	h := startWith(t, watch.Config{Paths: []string{"rules"}, SettleOne: 15 * time.Millisecond, SettleMany: 60 * time.Millisecond})
	h.again.Store(true)
	must(t, put("rules/a.lua", "2"))
	h.next()
	h.quiet()
	must(t, put("rules/list.txt", "1"))
	if got := describe(h.next()); got != "rules/a.lua=2" {
		t.Error(got)
	}
	h.again.Store(false)
	must(t, put("rules/list.txt", "2"))
	h.next()
	must(t, put("rules/list.txt", "3"))
	h.quiet()
}

// TestUnreadable checks a script that nobody may read, and its coming back.
func TestUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		// Root may read everything: the test runs again as somebody else.
		dir := t.TempDir()
		must(t, os.Chmod(dir, 0o777), os.Chmod(filepath.Dir(dir), 0o755))
		binary := filepath.Join(dir, "test")
		text, err := os.ReadFile(os.Args[0])
		must(t, err, os.WriteFile(binary, text, 0o755))
		cmd := exec.Command(binary, "-test.run=^TestUnreadable$", "-test.v")
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "TMPDIR="+dir)
		testbed.AsNobody(cmd)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	t.Chdir(t.TempDir())
	must(t, os.Mkdir("rules", 0o755), write("rules/a.lua", "1"))
	h := start(t, false, "rules")
	must(t, os.Chmod("rules/a.lua", 0))
	if c := h.next(); !errors.Is(c.Err, fs.ErrPermission) || !strings.Contains(c.Err.Error(), "rules/a.lua") {
		t.Errorf("unreadable: %s", describe(c))
	}
	must(t, os.Chmod("rules/a.lua", 0o644))
	if got := describe(h.next()); got != "rules/a.lua=1" {
		t.Error(got)
	}
	h.quiet()
}
