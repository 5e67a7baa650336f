package console

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/trace"
)

// maxWatches is how many watches a session has at most.
const maxWatches = 16

// watch is what a session hears as it happens.
type watch struct {
	what string
	stop []func()
}

// notes is an [io.Writer] that makes a note of each line.
type notes struct{ note func(string) }

// Write implements [io.Writer].
func (n notes) Write(b []byte) (int, error) {
	for line := range bytes.Lines(b) {
		n.note(string(bytes.TrimRight(line, "\n")))
	}
	return len(b), nil
}

// watchEvents notes the events of the hook points that a pattern names, as lines
// of JSON.
func (s *Session) watchEvents(pattern string) error {
	if err := s.room(); err != nil {
		return err
	}
	e := s.conf.Engine
	points, err := e.Catalogue().Match(pattern)
	if err != nil {
		return err
	}
	if len(points) == 0 {
		hint := ""
		if near := diag.Nearest(pattern, s.points()); near != "" {
			hint = "; did you mean " + near + "?"
		}
		return fmt.Errorf("no hook point is called %s%s", pattern, hint)
	}
	w := &watch{what: pattern}
	out := trace.NewWriter(notes{s.conf.Notes}, nil, e.Generation)
	var mu sync.Mutex // the shards may be driven at the same time
	tap := func(sh *event.Shard, info *event.Info, where *event.PointInfo, ev any) {
		mu.Lock()
		defer mu.Unlock()
		out.Event(sh, info, where, ev)
		out.Push()
	}
	ids := make([]event.PointID, len(points))
	for i, p := range points {
		ids[i] = p.ID
	}
	w.stop = append(w.stop, e.Attach(ids, tap))
	s.watches = append(s.watches, w)
	return nil
}

// explain notes what rules do with the events of a connection.
func (s *Session) explain(id uint64) error {
	if err := s.room(); err != nil {
		return err
	}
	w := &watch{what: fmt.Sprintf("connection %d", id)}
	var last uint64
	w.stop = append(w.stop, s.conf.Engine.Follow(func(st *engine.Step) {
		if st.Conn != id {
			return
		}
		if st.Event != last {
			last = st.Event
			s.conf.Notes(st.Point)
		}
		s.conf.Notes(fmt.Sprintf("  %s: %s: %s", st.Script, st.Rule, stepWords(st)))
	}))
	s.watches = append(s.watches, w)
	return nil
}

// stepWords says what a rule did.
func stepWords(st *engine.Step) string {
	switch st.Kind {
	case engine.StepOff:
		return "is off"
	case engine.StepSuspended:
		return "is suspended"
	case engine.StepDecides, engine.StepRuns:
		return st.Kind.String()
	}
	return st.Kind.String() + " says no"
}

func (s *Session) room() error {
	if len(s.watches) == maxWatches {
		return fmt.Errorf("there are %d watches already: end them with :unwatch", maxWatches)
	}
	return nil
}

// unwatch ends all watches and returns how many there were.
func (s *Session) unwatch() int {
	n := len(s.watches)
	for _, w := range s.watches {
		for _, stop := range w.stop {
			stop()
		}
	}
	s.watches = nil
	return n
}

// points lists the names of all hook points.
func (s *Session) points() []string {
	var names []string
	s.conf.Engine.Catalogue().Points(func(_ *event.Info, p *event.PointInfo) bool {
		names = append(names, p.Name)
		return true
	})
	return names
}
