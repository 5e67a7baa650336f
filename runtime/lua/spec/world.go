package spec

import (
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/hookdev"
)

// Traffic makes a stack's events happen. The caller of the package implements
// it over its stacks; its calls are made with the shard entered.
type Traffic interface {
	// Replay runs a capture; start is called with the time of its first packet
	// before that is handled.
	Replay(path string, start func(ts int64)) error
	// Connect returns a connection made by hand, which has sent nothing yet.
	Connect(cfg ConnConfig) (Conn, error)
	// Word returns one of [Host.Words]: a function that is called with the shard entered.
	// It takes plain data and objects and returns one, or nil.
	Word(name string) func(args []any) (any, error)
	// Close ends what is still open.
	Close()
}

// ConnConfig describes a connection made by hand.
type ConnConfig struct {
	Client, Server netip.AddrPort
	VLAN           uint16
}

// Conn is a connection made by hand. A side is "client" or "server".
type Conn interface {
	Open()
	SYN()
	SYNACK()
	ACK(side string) error
	Send(side string, payload []byte) error
	Resend(side string) error
	FIN(side string) error
	RST(side string) error
	Close()
}

// Host makes what a world consists of.
type Host struct {
	// New returns an engine, its runtime given, that writes to sink, and the stacks over
	// its first shard; tick is asked for the time of each packet or message that is made
	// by hand.
	New func(sink engine.Sink, tick func() int64) (*engine.Engine, Traffic)
	// Words names what the stacks add to the language of specs.
	Words []string
}

// Time of a world before anything gives it another one, and how much of it a
// frame of a hand-made connection takes.
const (
	epoch = int64(1_767_225_600_000_000_000) // 2026-01-01T00:00:00Z
	tick  = int64(time.Millisecond)
)

// MaxRecords bounds how many records of each kind a world keeps; further ones
// are an error of the spec, which then asks too much.
const MaxRecords = 100_000

// world is the engine under test, its traffic, and what came out.
type world struct {
	engine  *engine.Engine
	traffic Traffic
	shard   *event.Shard
	started bool
	now     int64

	alerts    []*engine.AlertRecord
	decisions []*engine.DecisionRecord
	logs      []*engine.LogRecord
	errors    []*engine.ErrorRecord
	events    []seenEvent
	watched   map[event.PointID]bool
	lost      int
}

// seenEvent is the record of one event.
type seenEvent struct {
	point  *event.PointInfo
	record []byte // the members of a JSON object, each preceded by a comma
}

// newWorld loads the sources into a fresh engine.
func newWorld(h Host, sources []engine.Source) (*world, diag.List) {
	w := &world{now: epoch, watched: map[event.PointID]bool{}}
	w.engine, w.traffic = h.New(w, func() int64 {
		w.now = max(w.now+tick, w.shard.Now())
		return w.now
	})
	w.shard = w.engine.Shard(0)
	if _, diags := w.engine.Apply(sources); diags.HasErrors() {
		w.engine.Close()
		return nil, diags
	}
	return w, nil
}

// start begins event time at ts unless it has begun.
func (w *world) start(ts int64) {
	if !w.started {
		w.started = true
		w.now = ts
		w.engine.Start(ts)
	}
}

// in runs fn with the shard entered, having started time.
func (w *world) in(fn func() error) error {
	w.start(epoch)
	w.shard.Enter()
	defer w.shard.Leave()
	return fn()
}

// replay runs a capture.
func (w *world) replay(path string) error {
	w.shard.Enter()
	defer w.shard.Leave()
	err := w.traffic.Replay(path, func(ts int64) {
		if w.started {
			return
		}
		w.shard.Leave()
		w.start(ts)
		w.shard.Enter()
	})
	w.now = w.shard.Now()
	return err
}

// advance moves event time on.
func (w *world) advance(d time.Duration) error {
	return w.in(func() error {
		now := max(w.now, w.shard.Now())
		switch {
		case d < 0:
			return fmt.Errorf("time does not go back: %s", d)
		case int64(d) > math.MaxInt64-now:
			return fmt.Errorf("%s from now is behind the end of time", d)
		}
		w.now = now + int64(d)
		w.shard.Advance(w.now)
		return nil
	})
}

// emit raises an event whose fields are given by name.
func (w *world) emit(name string, fields []event.KV) error {
	info, where, err := w.engine.Catalogue().Find(name)
	if err != nil {
		return err
	}
	e := info.New()
	for _, kv := range fields {
		f := info.Field(kv.Key)
		switch {
		case f == nil:
			return fmt.Errorf("%s has no field %s", info.Name, kv.Key)
		case f.Set == nil:
			return fmt.Errorf("%s: %s cannot be made by hand; use connection or replay", info.Name, kv.Key)
		}
		if err := f.Set(e, kv.Value); err != nil {
			return fmt.Errorf("%s: %s: %w", info.Name, kv.Key, err)
		}
	}
	for i := range info.Fields {
		f := &info.Fields[i]
		if f.Type.Kind == event.ObjectRef && !f.Optional && f.Get.Object(e) == nil {
			return fmt.Errorf("%s needs a %s; use connection or replay", info.Name, f.Type.Object)
		}
	}
	return w.in(func() error {
		w.engine.Emit(w.shard, where.ID, e)
		return nil
	})
}

// watch keeps the records of the hook points that pattern names from now on.
func (w *world) watch(pattern string) error {
	points, err := w.engine.Catalogue().Match(pattern)
	switch {
	case err != nil:
		return err
	case len(points) == 0:
		return fmt.Errorf("no hook point matches %s", pattern)
	}
	for _, p := range points {
		if !w.watched[p.ID] {
			w.watched[p.ID] = true
			w.engine.Tap(p.ID, w.see)
		}
	}
	return nil
}

func (w *world) see(_ *event.Shard, info *event.Info, where *event.PointInfo, e any) {
	if len(w.events) >= MaxRecords {
		w.lost++
		return
	}
	w.events = append(w.events, seenEvent{where, info.AppendJSON(nil, e)})
}

// passed returns the names of the watched hook points that pattern names, as often as
// they were passed.
func (w *world) passed(pattern string) ([]string, error) {
	points, err := w.engine.Catalogue().Match(pattern)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, s := range w.events {
		if slices.Contains(points, s.point) {
			list = append(list, s.point.Name)
		}
	}
	return list, nil
}

// seen returns the records of the watched hook points that pattern names, as
// JSON decodes them.
func (w *world) seen(pattern string) ([]map[string]any, error) {
	points, err := w.engine.Catalogue().Match(pattern)
	if err != nil {
		return nil, err
	}
	wanted := map[*event.PointInfo]bool{}
	for _, p := range points {
		if !w.watched[p.ID] {
			return nil, fmt.Errorf("%s is not watched: say watch %q before the traffic", p.Name, pattern)
		}
		wanted[p] = true
	}
	list := []map[string]any{}
	for _, s := range w.events {
		if !wanted[s.point] {
			continue
		}
		row := map[string]any{"point": s.point.Name}
		text := append([]byte{'{'}, s.record...)
		if len(s.record) > 0 {
			text = append(text[:1], s.record[1:]...)
		}
		if err := json.Unmarshal(append(text, '}'), &row); err != nil {
			return nil, fmt.Errorf("record of %s: %w", s.point.Name, err)
		}
		list = append(list, row)
	}
	return list, nil
}

// close ends traffic and engine.
func (w *world) close() {
	w.shard.Enter()
	w.traffic.Close()
	w.shard.Leave()
	w.engine.Stop(hookdev.StopReasonDone)
	w.engine.Close()
}

// Log implements [engine.Sink].
func (w *world) Log(r *engine.LogRecord) { w.logs = keep(w, w.logs, r) }

// Alert implements [engine.Sink].
func (w *world) Alert(r *engine.AlertRecord) { w.alerts = keep(w, w.alerts, r) }

// Decision implements [engine.Sink].
func (w *world) Decision(r *engine.DecisionRecord) {
	own := *r
	w.decisions = keep(w, w.decisions, &own)
}

// ScriptError implements [engine.Sink].
func (w *world) ScriptError(r *engine.ErrorRecord) { w.errors = keep(w, w.errors, r) }

func keep[T any](w *world, list []T, r T) []T {
	if len(list) >= MaxRecords {
		w.lost++
		return list
	}
	return append(list, r)
}
