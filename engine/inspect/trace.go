package inspect

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/control"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/trace"
)

// Limits of a trace.
const (
	// MaxTraceRate is how many records a second of wall time it makes; more are
	// dropped and counted.
	MaxTraceRate = 10_000
	// MaxSample is the most that one record may stand for.
	MaxSample = 1_000_000_000
	// tick is how often a trace gets room for records; notes come once a second.
	tick = 100 * time.Millisecond
)

// Query says what is traced.
type Query struct {
	// Patterns are globs over family.event.phase, or over the names of user-defined
	// events, event.http_*; several select what any does.
	Patterns []string
	// Where selects events by an expression; empty: all.
	Where string
	// Sample: of so many selected events there is one record; 0 is 1.
	Sample uint64
}

// Head is the first line of a trace: from now on events are seen.
type Head struct {
	V int `json:"v"`
	// Tracing are the hook points.
	Tracing []string `json:"tracing"`
	// LeftOut are those that the pattern selects and the expression has no
	// meaning for.
	LeftOut []string `json:"left_out,omitempty"`
}

// Note is a line between records, about them.
type Note struct {
	V int `json:"v,omitempty"`
	// Dropped counts records since the last note that were not made or not sent.
	Dropped uint64 `json:"dropped,omitempty"`
	// Errors counts events since the last note on which the expression failed,
	// Error is the latest failure.
	Errors uint64 `json:"errors,omitempty"`
	Error  string `json:"error,omitempty"`
	// Stopped: nothing comes any more, because the expression took too long.
	Stopped bool `json:"stopped,omitempty"`
	// Gone is a user-defined event that no script declares any more: none comes.
	Gone string `json:"gone,omitempty"`
}

// Trace is a trace that runs.
type Trace struct {
	Head Head

	engine  *engine.Engine
	changed func()
	filter  *Filter // nil: every event
	send    func([]byte) bool
	sample  uint64
	bufs    [][]byte // by shard, each for who entered it
	detach  []func()
	stop    chan struct{}
	gone    atomic.Pointer[string] // an event that is not declared any more
	ended   sync.WaitGroup

	matched, dropped atomic.Uint64
	room             atomic.Int64
	told             uint64 // errors; belongs to tend
}

// Trace begins a trace, whose lines go to send: the head, then records, and notes
// between them. send is called with a shard entered and by several goroutines, and
// does not wait; it reports whether it took the line. The error is a
// [*control.Error], with diagnostics as its detail where the expression is wrong.
func (in *Inspector) Trace(q Query, send func(line []byte) bool) (*Trace, error) {
	points, users, err := in.match(q.Patterns)
	if err != nil {
		return nil, err
	}
	t := &Trace{engine: in.engine, changed: in.Changed, send: send, sample: max(q.Sample, 1), stop: make(chan struct{})}
	t.Head.V = Version
	t.bufs = make([][]byte, in.engine.Shards().Len())
	t.room.Store(MaxTraceRate)
	if q.Where != "" {
		if points, users, err = t.choose(q.Where, points, users); err != nil {
			return nil, err
		}
	}
	ids := make([]event.PointID, len(points))
	for i, p := range points {
		ids[i] = p.ID
		t.Head.Tracing = append(t.Head.Tracing, p.Name)
	}
	head, err := json.Marshal(&t.Head)
	if err != nil {
		t.close()
		return nil, fmt.Errorf("inspect: trace: %w", err)
	}
	if t.filter != nil {
		t.changed() // before the first event that it is to select
	}
	send(head)
	if err := t.attachUsers(users); err != nil {
		t.close()
		return nil, err
	}
	t.detach = append(t.detach, in.engine.Attach(ids, t.event))
	t.changed()
	t.ended.Go(t.tend)
	return t, nil
}

// close lets go of what the trace holds.
func (t *Trace) close() {
	for _, detach := range t.detach {
		detach()
	}
	if t.filter != nil {
		t.filter.Close()
	}
	t.changed()
}

// choose compiles the expression that selects events, and leaves those out that it
// has no meaning for.
func (t *Trace) choose(where string, points []*event.PointInfo, users []engine.UserEvent) ([]*event.PointInfo, []engine.UserEvent, error) {
	all := slices.Clone(points)
	for _, u := range users {
		if u.Where != nil && !slices.Contains(all, u.Where) {
			all = append(all, u.Where)
		}
	}
	f, diags, err := NewFilter(t.engine, where, all)
	switch {
	case err != nil:
		return nil, nil, err
	case f == nil:
		return nil, nil, refusal(diags)
	}
	t.filter = f
	points = slices.DeleteFunc(points, func(p *event.PointInfo) bool {
		out := !slices.Contains(f.Taken, p)
		if out {
			t.Head.LeftOut = append(t.Head.LeftOut, p.Name)
		}
		return out
	})
	users = slices.DeleteFunc(users, func(u engine.UserEvent) bool {
		out := u.Where == nil || !slices.Contains(f.Taken, u.Where)
		if out {
			t.Head.LeftOut = append(t.Head.LeftOut, u.Name)
		}
		return out
	})
	return points, users, nil
}

// attachUsers has user-defined events traced, until a generation does not declare
// them any more.
func (t *Trace) attachUsers(users []engine.UserEvent) error {
	for _, u := range users {
		detach, err := t.engine.AttachUser(u.Name, func(c *engine.Call) { t.user(u.Name, c) }, func() {
			t.gone.Store(&u.Name)
		})
		if err != nil {
			return control.Errorf(http.StatusConflict, "%s", err)
		}
		t.detach = append(t.detach, detach)
	}
	return nil
}

// match finds hook points, and user-defined events, by patterns.
func (in *Inspector) match(patterns []string) (points []*event.PointInfo, users []engine.UserEvent, err error) {
	if len(patterns) == 0 {
		return nil, nil, control.Errorf(http.StatusBadRequest, "a pattern is needed, such as flow.conn_start")
	}
	for _, pattern := range patterns {
		if strings.HasPrefix(pattern, "event.") {
			list := in.userEvents(pattern)
			if len(list) == 0 {
				return nil, nil, control.Errorf(http.StatusBadRequest, "%s: no script that is live declares such an event", pattern)
			}
			users = append(users, list...)
			continue
		}
		list, err := in.engine.Catalogue().Match(pattern)
		if err != nil {
			return nil, nil, control.Errorf(http.StatusBadRequest, "%s", err)
		}
		if len(list) == 0 {
			return nil, nil, control.Errorf(http.StatusBadRequest, "%s: no such hook point; 'hookd hooks' lists them", pattern)
		}
		points = append(points, list...)
	}
	slices.SortFunc(points, func(a, b *event.PointInfo) int { return int(a.ID) - int(b.ID) })
	slices.SortFunc(users, func(a, b engine.UserEvent) int { return strings.Compare(a.Name, b.Name) })
	return slices.Compact(points), slices.Compact(users), nil
}

// userEvents are those that a pattern, "event.http_*", means; a phase is named where
// it is not the one that is meant without.
func (in *Inspector) userEvents(pattern string) (list []engine.UserEvent) {
	for _, u := range in.engine.UserEvents() {
		if ok, err := path.Match(pattern, u.Name); err == nil && ok && strings.Count(pattern, ".") == strings.Count(u.Name, ".") {
			list = append(list, u)
		}
	}
	return list
}

// event is the trace's [engine.Tap].
func (t *Trace) event(s *event.Shard, info *event.Info, where *event.PointInfo, e any) {
	if !t.takes(s, info, where, e) {
		return
	}
	buf := &t.bufs[s.Index()]
	*buf = trace.AppendEvent((*buf)[:0], s.Now(), t.engine.Generation(), info, where, e)
	t.send(*buf) // who does not take it counts it
}

// user is the trace's [engine.UserTap] for an event.
func (t *Trace) user(name string, c *engine.Call) {
	s := c.Shard
	if !t.takes(s, c.Info, c.Where, c.Event) {
		return
	}
	buf := &t.bufs[s.Index()]
	*buf = trace.AppendUser((*buf)[:0], s.Now(), t.engine.Generation(), name, c)
	t.send(*buf)
}

// takes reports whether there is to be a record of an event, and room for it.
func (t *Trace) takes(s *event.Shard, info *event.Info, where *event.PointInfo, e any) bool {
	if t.filter != nil && !t.filter.Selects(s, info, where, e) {
		return false
	}
	if t.sample > 1 && t.matched.Add(1)%t.sample != 1 {
		return false
	}
	if t.room.Add(-1) < 0 {
		t.dropped.Add(1)
		return false
	}
	return true
}

// tend gives the trace room for records, and tells what is to be told, until it
// ends.
func (t *Trace) tend() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var told time.Time
	over := false
	for {
		select {
		case <-t.stop:
			return
		case <-ticker.C:
		}
		t.room.Store(int64(MaxTraceRate * tick / time.Second))
		if now := time.Now(); !over && now.Sub(told) >= time.Second {
			if t.note() {
				told = now
			}
			over = t.filter != nil && t.filter.Stopped()
		}
	}
}

// note sends what there is to tell, and reports whether there was anything.
func (t *Trace) note() bool {
	n := Note{V: Version, Dropped: t.dropped.Swap(0)}
	if t.filter != nil {
		errors, last := t.filter.Errors()
		if n.Errors = errors - t.told; n.Errors > 0 {
			n.Error = last
		}
		t.told, n.Stopped = errors, t.filter.Stopped()
	}
	if gone := t.gone.Swap(nil); gone != nil {
		n.Gone = *gone
	}
	if n.Dropped == 0 && n.Errors == 0 && !n.Stopped && n.Gone == "" {
		return false
	}
	if line, err := json.Marshal(&n); err == nil {
		t.send(line)
	}
	return true
}

// End ends the trace: send is not called any more. It is called once.
func (t *Trace) End() {
	close(t.stop)
	t.ended.Wait()
	t.close()
}

// trace answers GET /trace.
func (in *Inspector) trace(r *http.Request, st *control.Stream) (func(), error) {
	sample, err := Number(r, "sample", 1, MaxSample)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	t, err := in.Trace(Query{Patterns: q["pattern"], Where: q.Get("where"), Sample: uint64(sample)}, st.Send)
	if err != nil {
		return nil, err
	}
	return t.End, nil
}
