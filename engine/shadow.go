package engine

import (
	"bytes"
	"errors"
	"slices"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/record"
	"github.com/hookd/hookd/engine/store"
)

// Beside is who hears what the rules of two engines say of the same events, on one
// shard. Its calls are made in the shard.
type Beside struct {
	// Live and Trial hear what the rules say that are live, and those that are tried.
	Live, Trial Sink
	// Step is called before each event: what was said so far is about earlier ones.
	Step func()
}

// MaxShadowed is how many objects of a shard a trial follows at a time; the events of
// further ones it does not see.
const MaxShadowed = 100_000

// Errors of [Engine.Shadow].
var (
	ErrShadowed  = errors.New("engine: a trial runs already")
	errUnrelated = errors.New("engine: the trial was not made from this engine, or is not loaded, or this one has not started")
)

// shadow is what makes a shard of a trial see what a live one sees. All that the
// trial does is done with the live shard entered.
type shadow struct {
	live, trial *shard
	beside      Beside
	sink        Sink // of the live shard, without a trial
	tick        event.Timer
	serial      uint64 // of the bindings and records that were there before
	objects     map[event.Kept]*shadowed
	skipped     uint64
}

// shadowed is an object that the trial keeps something on.
type shadowed struct {
	shadow *shadow
	object event.Kept
}

// ObjectEnded implements [event.Ender].
func (o *shadowed) ObjectEnded() { delete(o.shadow.objects, o.object) }

// both tells two sinks the same.
type both [2]Sink

// Log implements [Sink].
func (b both) Log(r *LogRecord) { b[0].Log(r); b[1].Log(r) }

// Alert implements [Sink].
func (b both) Alert(r *AlertRecord) { b[0].Alert(r); b[1].Alert(r) }

// Decision implements [Sink].
func (b both) Decision(r *DecisionRecord) { b[0].Decision(r); b[1].Decision(r) }

// ScriptError implements [Sink].
func (b both) ScriptError(r *ErrorRecord) { b[0].ScriptError(r); b[1].ScriptError(r) }

// Shadow lets the rules of trial see the events that those of e see, each a moment
// earlier, until end is called. The trial was made with [Config.Inherit] naming e and
// has a generation; it is not started, and what its rules decide is told and no more.
// Handlers bound by name before, declared timers and records go on in the trial as
// they stand now. Events that handlers may wait for, and those of the engine itself,
// are not shown. end returns how many events the trial did not see for want of room;
// afterwards nothing of it is left but what its caller closes.
func (e *Engine) Shadow(trial *Engine, beside func(shard int) Beside) (end func() uint64, err error) {
	trial.mu.Lock()
	defer trial.mu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.shadowed:
		return nil, ErrShadowed
	case trial.cfg.Inherit != e || len(trial.shards) != len(e.shards) || trial.cfg.Drive != e.cfg.Drive || trial.live.Number == 0 || !e.started:
		return nil, errUnrelated
	}
	e.shadowed, trial.started = true, true
	list := make([]*shadow, len(e.shards))
	for i, s := range e.shards {
		list[i] = &shadow{
			live: s, trial: trial.shards[i], beside: beside(i), sink: s.sink,
			objects: map[event.Kept]*shadowed{},
		}
	}
	for _, sh := range list {
		sh.within(sh.begin)
	}
	return func() uint64 {
		trial.mu.Lock()
		defer trial.mu.Unlock()
		e.mu.Lock()
		defer e.mu.Unlock()
		e.shadowed = false
		return endShadows(list)
	}, nil
}

// within enters both shards, the live one first.
func (sh *shadow) within(do func()) {
	sh.live.Enter()
	defer sh.live.Leave()
	sh.trial.Enter()
	defer sh.trial.Leave()
	do()
}

func (sh *shadow) begin() {
	s, t := sh.live, sh.trial
	t.Behind(s.Shard)
	t.Advance(s.Now())
	t.shadow, t.sink = sh, sh.beside.Trial
	sh.serial = s.serial
	s.follower, s.sink = sh, both{sh.sink, sh.beside.Live}
	s.engine.installLocked(s, s.gen)
	for _, sc := range t.gen.order {
		for _, d := range sc.plan.Timers {
			sh.keepPhase(timerKey{sc.path, d.Name})
		}
	}
	sh.rearm()
}

// keepPhase arms a timer of the trial as that of the same name goes on in a reload.
func (sh *shadow) keepPhase(key timerKey) {
	t, was := sh.trial.timers[key], sh.live.timers[key]
	switch {
	case t == nil:
	case was == nil || was.decl.Every != t.decl.Every || was.decl.After != t.decl.After:
		t.arm(sh.trial.Now())
	case was.Armed():
		t.fired, t.next = was.fired, was.next
		t.push(0)
	default:
		t.done = was.done
	}
}

// wants tells whether the trial sees the events of a point.
func (sh *shadow) wants(id event.PointID) bool {
	info := sh.live.engine.points[id]
	if info == nil || info.Family == "hookd" || info.Waits == event.WaitsSuspend {
		return false
	}
	return sh.trial.plans[id] != nil || sh.live.dynamic[id] > 0
}

// see shows the trial an event that the live rules are about to see.
func (sh *shadow) see(_ *event.Shard, info *event.Info, where *event.PointInfo, e any) {
	sh.beside.Step()
	t := sh.trial
	if k := subject(info, e); k != nil && k.Slots() != nil {
		if !sh.follow(k) {
			sh.skipped++
			return
		}
		sh.adopt(k)
	}
	t.Enter()
	t.Advance(sh.live.Now())
	t.Dispatch(t.Shard, where.ID, e)
	sh.rearm()
	t.Leave()
}

// follow notes an object that the trial may keep something on; false: there are too
// many.
func (sh *shadow) follow(k event.Kept) bool {
	if sh.objects[k] != nil {
		return true
	}
	if len(sh.objects) >= MaxShadowed {
		return false
	}
	o := &shadowed{sh, k}
	sh.objects[k] = o
	sh.live.Change()
	k.Slots().Set(sh, o)
	sh.live.Changed()
	return true
}

// adopt binds in the trial what was bound to an object by name before the trial.
func (sh *shadow) adopt(k event.Kept) {
	t := sh.trial
	was := sh.live.boundTo(k)
	if was == nil || t.boundTo(k) != nil {
		return
	}
	b := t.attach(k)
	for _, at := range was.points {
		for _, x := range at.list {
			if x.serial < sh.serial && x.target.source == nil {
				t.bindAs(b, x)
			}
		}
	}
}

// bindAs binds the trial's handler of the same name in the same place.
func (s *shard) bindAs(b *bound, x *binding) {
	key := x.target.key
	t, err := s.target(key.script, &Handler{Name: key.name})
	if err != nil {
		return // the trial does not declare it
	}
	en := t.at(s, x.place)
	if en == nil {
		s.letGo(t)
		return
	}
	own := &binding{target: t, owner: b, on: s, place: x.place, entry: en, param: x.param, serial: s.serial}
	s.serial++
	list := append(slices.Clone(b.at(x.place.id)), own)
	sortBindings(list)
	b.set(x.place.id, list)
	s.usage(key.script).bindings++
	s.bound.Bindings++
	s.count(x.place.id, 1)
	t.hold(own)
}

// data returns a copy of the record that a script has on an object since before the
// trial, nil for none.
func (sh *shadow) data(o event.Kept, of *kept) *record.Root {
	if of == nil {
		return nil
	}
	if d, ok := o.Slots().Get(of).(*dataRoot); ok && d.serial < sh.serial {
		return d.Root.Clone()
	}
	return nil
}

// inherit begins with a copy of what the script keeps in another engine.
func (k *kept) inherit(from *Engine) {
	from.mu.Lock()
	defer from.mu.Unlock()
	if k.inherits = from.kept[k.path]; k.inherits != nil {
		k.state = k.inherits.state.Clone()
	}
}

// inherit gives the rules of a trial the counts of those that they would take the
// place of; those whose script is the same stay switched off, and suspended.
func (e *Engine) inherit(g *Generation) {
	from := e.cfg.Inherit
	if from == nil {
		return
	}
	from.mu.Lock()
	defer from.mu.Unlock()
	for key, st := range e.rules {
		was := from.rules[key]
		if was == nil {
			continue
		}
		if st.threshold != nil && was.threshold.adopt(st.threshold) == was.threshold {
			st.threshold = &counted{was.threshold.Clone(e.set.Clock()), was.threshold.by}
		}
		if now, before := g.scripts[key.script], from.live.scripts[key.script]; before != nil && now.hash == before.hash {
			st.off.Store(was.off.Load())
			st.health.off.Store(was.health.off.Load())
		}
	}
}

// inherit fills a store of a trial with what the live one of that name has.
func (st *Staged) inherit(d *store.Declaration) {
	from, ok := st.engine.cfg.Inherit.stores.Lookup(d.Config.Name)
	if !ok || from.Config().Kind != d.Config.Kind || from.Config().Key != d.Config.Key {
		return
	}
	var saved bytes.Buffer
	aside := st.stores.Aside(d.Config.Name)
	if err := from.Save(&saved); err != nil {
		return // a buffer takes everything
	}
	if _, err := aside.Load(&saved); err == nil {
		st.stores.Fill(d.Config.Name, aside, store.Source{})
	}
}

// rearm has the live shard's time run the trial's timers.
func (sh *shadow) rearm() {
	timers := sh.live.Timers()
	when, ok := sh.trial.Timers().Next()
	switch {
	case !ok:
		timers.Stop(&sh.tick)
	case !sh.tick.Armed() || sh.tick.When() != when:
		timers.Arm(&sh.tick, when, func(now int64) {
			sh.trial.Enter()
			defer sh.trial.Leave()
			sh.trial.Advance(now)
			sh.rearm()
		})
	}
}

// endShadows takes the trial away, and then, little by little, what it kept on
// objects.
func endShadows(list []*shadow) (skipped uint64) {
	for _, sh := range list {
		sh.within(sh.end)
	}
	for _, sh := range list {
		for _, sc := range sh.trial.gen.order {
			sh.within(sc.instance.Close)
		}
		sh.within(func() { sh.trial.closeDraining(); sh.trial.fibers.Close() })
		for more := true; more; {
			sh.within(func() { more = sh.clean(200) })
		}
		skipped += sh.skipped
	}
	return skipped
}

func (sh *shadow) end() {
	s, t := sh.live, sh.trial
	sh.beside.Step()
	s.Timers().Stop(&sh.tick)
	s.follower, s.sink = nil, sh.sink
	s.engine.installLocked(s, s.gen)
	for _, timer := range t.timers {
		t.Timers().Stop(&timer.Timer)
	}
	t.stopDelays()
	t.cancelAll()
}

// clean takes off up to most objects what the trial kept on them, and reports
// whether there may be more.
func (sh *shadow) clean(most int) bool {
	for k := range sh.objects {
		if most--; most < 0 {
			return true
		}
		delete(sh.objects, k)
		sh.live.Change()
		k.Slots().Drop(sh.owns)
		sh.live.Changed()
	}
	return false
}

// owns tells what the trial, and machines that are closed, have on an object.
func (sh *shadow) owns(key, value any) bool {
	t := sh.trial.engine
	switch key := key.(type) {
	case *shadow:
		return key == sh
	case *turn:
		return key == sh.trial.turn
	case *kept:
		return t.kept[key.path] == key
	case randomKey:
		for _, k := range t.kept {
			if &k.random == key.randomness {
				return true
			}
		}
		return false
	}
	gone, ok := value.(interface{ Gone() bool })
	return ok && gone.Gone()
}

// Shadowed reports whether a trial runs beside the engine.
func (e *Engine) Shadowed() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.shadowed
}
