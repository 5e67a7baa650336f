package spec

import (
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/hookdev"
)

// Traffic makes the stacks' events happen. The caller of the package implements
// it over its stacks.
type Traffic interface {
	// Replay runs a capture, with the shard entered; start is called with the time of its
	// first packet before that is handled.
	Replay(path string, start func(ts int64)) error
	// Connect returns a connection made by hand, which has sent nothing yet and whose calls
	// are made with the shard entered.
	Connect(cfg ConnConfig) (Conn, error)
	// Settle does a part of what there is to do at the world's time, and reports whether
	// there was anything: a turn of event loops, an answer of those whom scripts ask. No
	// shard is entered.
	Settle() (worked bool, err error)
	// Word returns one of [Host].Words, over these stacks: a func(args []any) (any, error),
	// which is called with the shard entered, takes plain data and objects and returns one,
	// or nil; or a [verb.Word], which can do more.
	Word(name string) any
	// Close ends what is still open. No shard is entered.
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
	// Open returns an engine, its runtime given, and the stacks over its shard.
	Open func(Env) (*engine.Engine, Traffic, error)
	// Words are the names of those that the stacks add to specs.
	Words []string
}

// Env is what a world has for what it consists of.
type Env struct {
	// Sink is where the engine writes.
	Sink engine.Sink
	// Clock returns the world's time, in nanoseconds since the Unix epoch.
	Clock func() int64
	// Tick moves it on by what a frame takes, and returns it.
	Tick func() int64
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
	things    map[Object]*glua.LUserData
	lost      int
}

// seenEvent is the record of one event.
type seenEvent struct {
	point  *event.PointInfo
	record []byte // the members of a JSON object, each preceded by a comma
}

// newWorld loads the sources into a fresh engine.
func newWorld(h Host, sources []engine.Source) (*world, diag.List) {
	w := &world{now: epoch, watched: map[event.PointID]bool{}, things: map[Object]*glua.LUserData{}}
	var err error
	w.engine, w.traffic, err = h.Open(Env{Sink: w, Clock: w.clock, Tick: func() int64 {
		w.now = max(w.now+tick, w.shard.Now())
		return w.now
	}})
	if err != nil {
		return nil, diag.List{{Msg: err.Error()}}
	}
	w.shard = w.engine.Shard(0)
	if _, diags := w.engine.Apply(sources); diags.HasErrors() {
		w.traffic.Close()
		w.engine.Close()
		return nil, diags
	}
	return w, nil
}

// clock returns the world's time.
func (w *world) clock() int64 {
	if w.shard == nil {
		return w.now
	}
	return max(w.now, w.shard.Now())
}

// start begins event time at ts unless it has begun.
func (w *world) start(ts int64) {
	if !w.started {
		w.started = true
		w.now = ts
		w.engine.Start(ts)
	}
}

// maxRounds bounds how long a world comes to rest.
const maxRounds = 100_000

// settle has the stacks do all there is to do at the world's time.
func (w *world) settle() error {
	for range maxRounds {
		worked, err := w.traffic.Settle()
		if err != nil || !worked {
			return err
		}
	}
	return fmt.Errorf("the traffic does not come to rest in %d rounds: what is sent for ever is answered for ever", maxRounds)
}

// in runs fn with the shard entered, having started time, and has the stacks do what
// follows.
func (w *world) in(fn func() error) error {
	w.start(epoch)
	if err := w.enter(fn); err != nil {
		return err
	}
	return w.settle()
}

func (w *world) enter(fn func() error) error {
	w.shard.Enter()
	defer w.shard.Leave()
	return fn()
}

// replay runs a capture.
func (w *world) replay(path string) error {
	err := w.enter(func() error {
		return w.traffic.Replay(path, func(ts int64) {
			if w.started {
				return
			}
			w.shard.Leave()
			w.start(ts)
			w.shard.Enter()
		})
	})
	w.now = w.shard.Now()
	if err != nil {
		return err
	}
	return w.settle()
}

// maxSteps is in how many steps time is moved on at most; the last is as long as it
// has to be.
const maxSteps = 100_000

// advance moves event time on, from one timer to the next, so that what one sends is
// answered before the next is due.
func (w *world) advance(d time.Duration) error {
	w.start(epoch)
	now := w.clock()
	switch {
	case d < 0:
		return fmt.Errorf("time does not go back: %s", d)
	case int64(d) > math.MaxInt64-now:
		return fmt.Errorf("%s from now is behind the end of time", d)
	}
	end := now + int64(d)
	for step := 1; ; step++ {
		if err := w.in(func() error {
			w.now = end
			if when, ok := w.shard.Timers().Next(); ok && when < end && step < maxSteps {
				w.now = max(when, w.shard.Now())
			}
			w.shard.Advance(w.now)
			return nil
		}); err != nil || w.now == end {
			return err
		}
	}
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
	w.traffic.Close()
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
