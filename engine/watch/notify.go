package watch

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/fsnotify/fsnotify"
)

// source tells of changes in directories.
type source interface {
	// Watch adds a directory; it may be called again for the same one.
	Watch(dir string)
	// Events gives the path of each change; empty where some were lost.
	Events() <-chan string
}

// silent is a source that tells nothing.
type silent struct{}

func (silent) Watch(string)          {}
func (silent) Events() <-chan string { return nil }

// errInstances is returned where the user has no inotify instance left.
var errInstances = errors.New("the kernel's limit of watchers is reached (fs.inotify.max_user_instances)")

// notifier is the kernel's source: inotify, kqueue and so on.
type notifier struct {
	fs     *fsnotify.Watcher
	events chan string
	done   chan struct{}
	log    *slog.Logger
	told   bool // that a directory cannot be watched
}

func newNotifier(log *slog.Logger) (*notifier, error) {
	w, err := fsnotify.NewWatcher()
	switch {
	case errors.Is(err, syscall.EMFILE):
		return nil, errInstances
	case err != nil:
		return nil, fmt.Errorf("open the kernel's watcher: %w", err)
	}
	n := &notifier{fs: w, events: make(chan string), done: make(chan struct{}), log: log}
	go n.forward()
	return n, nil
}

// Close ends the watching and waits for the goroutine that forwards.
func (n *notifier) Close() {
	if err := n.fs.Close(); err != nil {
		n.log.Warn("the kernel's watcher does not close", "err", err)
	}
	for range n.events { // so that forward, if it has one to give, comes to its end
	}
	<-n.done
}

// forward gives the paths of events that may matter.
func (n *notifier) forward() {
	defer close(n.done)
	defer close(n.events)
	for {
		select {
		case ev, ok := <-n.fs.Events:
			if !ok {
				return
			}
			if !dropping(filepath.Base(ev.Name)) {
				n.events <- ev.Name
			}
		case err, ok := <-n.fs.Errors:
			if !ok {
				return
			}
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				n.log.Warn("watching files", "err", err)
			}
			n.events <- ""
		}
	}
}

// Watch implements source. A directory that the kernel does not watch is looked
// at by time.
func (n *notifier) Watch(dir string) {
	err := n.fs.Add(dir)
	if err == nil || n.told {
		return
	}
	n.told = true
	if errors.Is(err, syscall.ENOSPC) {
		err = errors.New("the kernel's limit of watches is reached (fs.inotify.max_user_watches)")
	}
	n.log.Warn("a directory is watched by looking at it", "dir", dir, "every", SafetyEvery, "because", err)
}

// Events implements source.
func (n *notifier) Events() <-chan string { return n.events }

// dropping tells files that editors leave and take away from those that matter.
// Kubernetes swaps a link named ..data.
func dropping(base string) bool {
	switch {
	case base == "..data":
		return false
	case strings.HasPrefix(base, "."), strings.HasPrefix(base, "#"), strings.HasSuffix(base, "~"):
		return true
	case strings.HasSuffix(base, ".swp"), strings.HasSuffix(base, ".swx"), strings.HasSuffix(base, ".tmp"):
		return true
	}
	return base == "4913" // vim tries whether it may write here
}
