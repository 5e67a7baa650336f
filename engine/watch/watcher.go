package watch

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hookd/hookd/engine"
)

// Times of a watcher, where its Config says nothing else.
const (
	// SettleOne is how long the files are left alone after one path changed.
	SettleOne = 30 * time.Millisecond
	// SettleMany is the same after several paths changed: a deployment is not
	// over at its first file.
	SettleMany = 150 * time.Millisecond
	// SettleMax bounds how long a change that does not end is waited for.
	SettleMax = 2 * time.Second
	// PollEvery is how often the files are looked at where the kernel does not
	// tell of changes.
	PollEvery = time.Second
	// SafetyEvery is how often they are looked at where it does: network and
	// overlay file systems stay silent, and its queue can overflow.
	SafetyEvery = 5 * time.Second
)

// Config says what a [Watcher] watches.
type Config struct {
	// Paths are files and directories, as for [Scan].
	Paths []string
	// Poll looks at the files by time alone.
	Poll bool
	// Log receives what the watcher cannot do; nil discards it.
	Log *slog.Logger
	// Zero times mean the defaults above.
	SettleOne, SettleMany, SettleMax, PollEvery, SafetyEvery time.Duration
}

// Change is what the paths hold now.
type Change struct {
	// Sources are the scripts and modules, as [Scan] has them.
	Sources []engine.Source
	// Settings is the file of settings, nil for none.
	Settings *engine.Source
	// Data are the data files that changed since the last change.
	Data []string
	// Err says why the paths cannot be read; the rest is empty then.
	Err error
}

// Watcher reads the scripts below its paths again whenever their content
// changes. It watches directories and not files, because editors replace files,
// and lets contents decide, because events say little.
//
// A Watcher is run once, by [Watcher.Run]; [Watcher.SetData] and [Watcher.Look] may
// be called from any goroutine.
type Watcher struct {
	cfg   Config
	seen  [sha256.Size]byte  // of the latest change given out
	roots []string           // the paths, and what they led to when Run looked last
	asked chan chan struct{} // to look now; what is sent is closed when that is done

	mu    sync.Mutex
	data  []string
	stats map[string]identity // of data files
}

// identity tells whether a file is the one it was, without reading it.
type identity struct {
	size int64
	time time.Time
	mode fs.FileMode
}

// New returns a watcher of the paths, which need not exist yet.
func New(cfg Config) *Watcher {
	set := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
	}
	set(&cfg.SettleOne, SettleOne)
	set(&cfg.SettleMany, SettleMany)
	set(&cfg.SettleMax, SettleMax)
	set(&cfg.PollEvery, PollEvery)
	set(&cfg.SafetyEvery, SafetyEvery)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Watcher{cfg: cfg, asked: make(chan chan struct{}), stats: map[string]identity{}}
}

// Read reads the paths now. What it returns counts as seen: Run tells of what
// differs from it.
func (w *Watcher) Read() Change {
	c, sum := w.read()
	w.seen = sum
	return c
}

// SetData tells the watcher which data files the scripts read; it watches them
// from now on.
func (w *Watcher) SetData(paths []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.data = slices.Clone(paths)
	for p := range w.stats {
		if !slices.Contains(paths, p) {
			delete(w.stats, p)
		}
	}
	for _, p := range paths {
		if _, known := w.stats[p]; !known {
			w.stats[p] = identityOf(p)
		}
	}
}

// Again has Run tell of the next change even if what it reads then is what it
// read last: what could not be used may depend on files that are not known yet.
// It is called from within changed.
func (w *Watcher) Again() { w.seen = [sha256.Size]byte{} }

// Look has Run read the paths now and call changed even if they hold what they
// did. It returns when that is done, or with the error of ctx; Run must be
// running.
func (w *Watcher) Look(ctx context.Context) error {
	done := make(chan struct{})
	select {
	case w.asked <- done:
	case <-ctx.Done():
		return fmt.Errorf("watch: look: %w", ctx.Err())
	}
	<-done
	return nil
}

// Run calls changed for each change until ctx ends, and returns nil then. While
// changed runs, further changes wait, and are one afterwards.
func (w *Watcher) Run(ctx context.Context, changed func(Change)) error {
	var src source
	if !w.cfg.Poll {
		n, err := newNotifier(w.cfg.Log)
		switch {
		case errors.Is(err, errInstances):
			w.cfg.Log.Warn("files are watched by looking at them", "every", w.cfg.PollEvery, "because", err)
		case err != nil:
			return fmt.Errorf("watch: %w", err)
		default:
			defer n.Close()
			src = n
		}
	}
	every := w.cfg.SafetyEvery
	s := settling{cfg: w.cfg, timer: time.NewTimer(time.Hour)}
	if src == nil {
		every, src = w.cfg.PollEvery, silent{}
		// Two looks that see the same say that the change is over.
		s.cfg.SettleMany = max(s.cfg.SettleMany, 2*every)
		s.cfg.SettleMax = max(s.cfg.SettleMax, 3*every)
	}
	look := time.NewTicker(every)
	defer look.Stop()
	s.timer.Stop()
	defer s.timer.Stop()
	last := w.glance(src)
	// What changed between Read and the watches is told by nobody.
	s.dirty("", time.Now())
	for {
		select {
		case <-ctx.Done():
			return nil
		case path := <-src.Events():
			if w.concerns(path) {
				// What comes into a new folder before it is watched is told by nobody:
				// who brings a folder brings more than one file.
				s.many = folder(path, src) || s.many
				s.dirty(path, time.Now())
				s.halfway(path)
			}
		case <-look.C:
			if now := w.glance(src); now != last {
				last = now
				s.many = true // what changed is not known
				s.dirty("", time.Now())
			}
		case done := <-w.asked:
			c, sum := w.read()
			w.seen = sum
			changed(c)
			close(done)
		case <-s.timer.C:
			s.clean()
			last = w.glance(src)
			if c, sum := w.read(); sum != w.seen {
				w.seen = sum
				changed(c)
			}
		}
	}
}

// concerns tells whether a change of path may change what is read: the
// directories above the paths are watched too, and may be busy.
func (w *Watcher) concerns(path string) bool {
	if path == "" || filepath.Base(path) == "..data" {
		return true
	}
	path = filepath.Clean(path)
	if slices.ContainsFunc(w.roots, func(root string) bool { return within(path, root) }) {
		return true
	}
	for _, root := range w.cfg.Paths {
		if within(path, filepath.Join(filepath.Dir(root), engine.ModuleFolder)) || path == filepath.Join(filepath.Dir(root), engine.SettingsFile) {
			return true
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.data, func(p string) bool { return filepath.Clean(p) == path })
}

// folder has src watch path, and what is below it, if that is a directory.
func folder(path string, src source) bool {
	info, err := os.Stat(path)
	if path == "" || err != nil || !info.IsDir() {
		return false
	}
	below(path, io.Discard, src.Watch)
	return true
}

// within tells whether path is root or below it.
func within(path, root string) bool {
	rest, ok := strings.CutPrefix(path, root)
	return root == "." && !filepath.IsAbs(path) || ok && (rest == "" || rest[0] == filepath.Separator || strings.HasSuffix(root, string(filepath.Separator)))
}

// settling says when changed files have been left alone for long enough.
type settling struct {
	cfg   Config
	timer *time.Timer
	first time.Time // zero: nothing changed
	path  string
	many  bool
}

// dirty notes that a path changed.
func (s *settling) dirty(path string, now time.Time) {
	if s.first.IsZero() {
		s.first, s.path = now, path
	}
	s.many = s.many || path != s.path
	wait := s.cfg.SettleOne
	if s.many {
		wait = s.cfg.SettleMany
	}
	s.timer.Reset(min(wait, max(0, s.first.Add(s.cfg.SettleMax).Sub(now))))
}

// halfway waits longer where the path that just changed is gone or empty: who
// replaces a file in two steps may be slow with the second.
func (s *settling) halfway(path string) {
	info, err := os.Stat(path)
	if path == "" || err == nil && (info.Size() > 0 || !info.Mode().IsRegular()) {
		return
	}
	s.timer.Reset(min(max(s.cfg.SettleMany, s.cfg.SettleOne), max(0, time.Until(s.first.Add(s.cfg.SettleMax)))))
}

func (s *settling) clean() { s.first, s.many = time.Time{}, false }

// read reads everything and sums it up.
func (w *Watcher) read() (Change, [sha256.Size]byte) {
	var c Change
	c.Settings, c.Err = Settings(w.cfg.Paths...)
	if c.Err == nil {
		c.Sources, c.Err = Scan(w.cfg.Paths...)
	}
	sum := sha256.New()
	if c.Err != nil {
		c = Change{Err: c.Err}
		fmt.Fprintf(sum, "error\x00%s\x00", c.Err)
	}
	for i := range c.Sources {
		addSource(sum, &c.Sources[i])
	}
	if c.Settings != nil {
		addSource(sum, c.Settings)
	}
	c.Data = w.changedData(sum)
	return c, [sha256.Size]byte(sum.Sum(nil))
}

func addSource(w io.Writer, s *engine.Source) {
	fmt.Fprintf(w, "%s\x00%s\x00%s\x00%d\x00", s.Path, s.Base, s.Module, len(s.Text))
	w.Write(s.Text)
}

// changedData adds the data files' identities to sum and returns those that are
// not what they were.
func (w *Watcher) changedData(sum io.Writer) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []string
	for _, p := range w.data {
		now := identityOf(p)
		fmt.Fprintf(sum, "%s\x00%d\x00%d\x00%d\x00", p, now.size, now.time.UnixNano(), now.mode)
		if now != w.stats[p] {
			list = append(list, p)
			w.stats[p] = now
		}
	}
	return list
}

// glance sums up what can be seen without reading: names, sizes and times of all
// that lies below the paths. On its way it has src watch each directory.
func (w *Watcher) glance(src source) [sha256.Size]byte {
	sum := sha256.New()
	for _, p := range w.directories(sum) {
		src.Watch(p)
	}
	return [sha256.Size]byte(sum.Sum(nil))
}

// directories lists the directories in which a change matters and adds what is
// in them to sum: those below the paths, those above them, which say when a path
// comes back, and those of data files.
func (w *Watcher) directories(sum io.Writer) []string {
	var list []string
	w.roots = w.roots[:0]
	listed := map[string]bool{}
	add := func(dir string) {
		if !listed[dir] {
			listed[dir] = true
			list = append(list, dir)
		}
	}
	for _, p := range w.cfg.Paths {
		add(filepath.Dir(filepath.Clean(p)))
		w.roots = append(w.roots, filepath.Clean(p))
		resolved, err := filepath.EvalSymlinks(p)
		if err != nil {
			fmt.Fprintf(sum, "%s\x00%v\x00", p, err)
			continue
		}
		if resolved != filepath.Clean(p) {
			w.roots = append(w.roots, resolved)
			add(filepath.Dir(resolved))
		}
		below(resolved, sum, add)
		lib := filepath.Join(filepath.Dir(p), engine.ModuleFolder)
		if info, err := os.Stat(resolved); err == nil && !info.IsDir() {
			below(lib, sum, add)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.data {
		add(filepath.Dir(p))
		fmt.Fprintf(sum, "%s\x00%v\x00", p, identityOf(p))
	}
	return list
}

// below walks a directory, or looks at a file.
func below(root string, sum io.Writer, add func(dir string)) {
	// What cannot be walked is left to Scan, which says why.
	_ = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if d.IsDir() {
			if name != root && d.Name()[0] == '.' {
				return fs.SkipDir
			}
			add(name)
			return nil
		}
		if !dropping(d.Name()) {
			fmt.Fprintf(sum, "%s\x00%v\x00", name, identityOf(name))
		}
		return nil
	})
}

// identityOf looks at a file; a missing one has the zero identity.
func identityOf(name string) identity {
	info, err := os.Stat(name)
	if err != nil {
		return identity{}
	}
	return identity{info.Size(), info.ModTime(), info.Mode()}
}
