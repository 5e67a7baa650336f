package engine

import (
	"sync/atomic"

	"github.com/hookd/hookd/engine/event"
)

// tally counts something on all shards. Where they are driven apart each counts for
// itself, since processors that count in one place wait for each other: who wants to
// know adds up.
type tally struct {
	all   uint64 // of shards that are driven together
	apart []counter
}

// counter is alone in what processors share as one piece.
type counter struct {
	n atomic.Uint64
	_ [120]byte
}

func (e *Engine) newTally() *tally {
	if e.cfg.Drive != event.Apart {
		return &tally{}
	}
	return &tally{apart: make([]counter, len(e.shards))}
}

// add counts one on s.
func (t *tally) add(s *shard) {
	if t.apart == nil {
		t.all++
		return
	}
	t.apart[s.Index()].n.Add(1)
}

// count returns how many there were.
func (t *tally) count() uint64 {
	n := t.all
	for i := range t.apart {
		n += t.apart[i].n.Load()
	}
	return n
}
