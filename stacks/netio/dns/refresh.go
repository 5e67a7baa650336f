package dns

import (
	"os"
	"sync/atomic"
	"time"
)

// refreshEvery is how often the system's files are looked at, while there are questions.
const refreshEvery = 5 * time.Second

// refresh knows of the system's files what says that they changed.
type refresh struct {
	seen   [2]fileState
	looked int64 // event time
	busy   atomic.Bool
}

type fileState struct {
	size int64
	mod  time.Time
}

func stat(name string) fileState {
	i, err := os.Stat(name)
	if err != nil {
		return fileState{}
	}
	return fileState{i.Size(), i.ModTime()}
}

// read reads the files and remembers how they were.
func (x *refresh) read(f Files) (Settings, error) {
	x.seen = [2]fileState{stat(f.Resolv), stat(f.Hosts)}
	return f.Read()
}

// look has a goroutine look whether the files changed, if that is due. What it finds
// is used from the next question on.
func (r *Resolver) look() {
	now := r.loop.Now()
	x := &r.refresh
	if r.cfg.Files == (Files{}) || x.busy.Load() || x.looked != 0 && now-x.looked < int64(refreshEvery) {
		return
	}
	first := x.looked == 0
	if x.looked = now; first {
		return
	}
	x.busy.Store(true)
	files, seen := r.cfg.Files, x.seen
	r.reading.Go(func() {
		fresh := [2]fileState{stat(files.Resolv), stat(files.Hosts)}
		var s Settings
		var err error
		if fresh != seen {
			s, err = files.Read()
		}
		posted := r.loop.Post(func() {
			x.busy.Store(false)
			if fresh != seen && err == nil && !r.closed {
				x.seen = fresh
				r.Use(s)
			}
		})
		if !posted {
			x.busy.Store(false) // the next look finds the same
		}
	})
}
