package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/control"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/inspect"
)

// maxWatches is how many watches a session has at most.
const maxWatches = 16

// watchEvents notes the events of the hook points that a pattern names, as lines
// of JSON: "flow.rexmit", "event.* where c.client.port == 5060". There is a limit to
// how many come, as there is for any trace.
func (s *Session) watchEvents(what string) error {
	if err := s.room(); err != nil {
		return err
	}
	pattern, where, _ := strings.Cut(what, " where ")
	begun := false
	in := inspect.New(s.conf.Engine, nil)
	if s.conf.Changed != nil {
		in.Changed = s.conf.Changed
	}
	t, err := in.Trace(inspect.Query{Patterns: []string{strings.TrimSpace(pattern)}, Where: where}, func(line []byte) bool {
		if !begun { // that is its head
			begun = true
			return true
		}
		s.conf.Notes(watched(line))
		return true
	})
	if err != nil {
		return s.unwatchable(pattern, err)
	}
	s.watches = append(s.watches, t.End)
	return nil
}

// watched is a line of a trace for people: what is no record is put into words.
func watched(line []byte) string {
	var n struct {
		Event string `json:"event"`
		inspect.Note
	}
	if json.Unmarshal(line, &n) != nil || n.Event != "" {
		return string(line)
	}
	switch {
	case n.Gone != "":
		return n.Gone + " is not declared any more"
	case n.Stopped:
		return "nothing is watched any more: the expression takes too long"
	case n.Errors > 0:
		return fmt.Sprintf("%d events not shown: %s", n.Errors, n.Error)
	}
	return fmt.Sprintf("%d events not shown: they came too fast", n.Dropped)
}

// unwatchable says why a pattern cannot be watched: with what may have been meant, or
// where in the expression.
func (s *Session) unwatchable(pattern string, err error) error {
	var no *control.Error
	if !errors.As(err, &no) {
		return err
	}
	var diags diag.List
	if len(no.Detail) > 0 && json.Unmarshal(no.Detail, &diags) == nil {
		return diags
	}
	if near := diag.Nearest(pattern, s.points()); near != "" {
		return fmt.Errorf("no hook point is called %s; did you mean %s?", pattern, near)
	}
	return errors.New(no.Message)
}

// explain notes what rules do with the events of a connection.
func (s *Session) explain(id uint64) error {
	if err := s.room(); err != nil {
		return err
	}
	var last uint64
	s.watches = append(s.watches, s.conf.Engine.Follow(func(st *engine.Step) {
		if st.Conn != id {
			return
		}
		if st.Event != last {
			last = st.Event
			s.conf.Notes(st.Point)
		}
		s.conf.Notes(fmt.Sprintf("  %s: %s: %s", st.Script, st.Rule, stepWords(st)))
	}))
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
	for _, end := range s.watches {
		end()
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
	for _, u := range s.conf.Engine.UserEvents() {
		names = append(names, u.Name)
	}
	return names
}
