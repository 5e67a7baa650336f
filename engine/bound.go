package engine

import (
	"fmt"
	"slices"
	"sort"

	"github.com/hookd/hookd/engine/event"
)

// place is where a handler can be bound: a hook point, or a user-defined event
// on it.
type place struct {
	id   event.PointID
	user string
}

// binding is one handler at one place of one object, or on one timer.
type binding struct {
	target     *target
	prev, next *binding // of the target
	owner      *bound   // nil for a timer that belongs to no object
	on         *shard   // whose handler bound it
	param      any
	gone       bool

	// At a hook point:
	place  place
	entry  *standing
	serial uint64 // order of binding

	delay *delay // on a timer; nil at a hook point
}

// bound is all that handlers bound to one object. It hangs on the object and
// ends with it.
type bound struct {
	gen    uint64 // that the entries and their order are of
	object event.Kept
	points []boundPoint
	timers []*binding
	muted  []mute // rules that unbound themselves
}

// boundPoint lists what is bound at one hook point, in order. The list is never
// changed in place.
type boundPoint struct {
	id   event.PointID
	list []*binding
}

// mute is a rule that does not run for an object while the rule's era is this.
type mute struct {
	state *ruleState
	era   uint64
}

// boundTo returns what is bound to an object, or nil.
func (s *shard) boundTo(k event.Kept) *bound {
	if slots := k.Slots(); slots != nil {
		b, _ := slots.Get(s.turn).(*bound)
		return b
	}
	return nil
}

// attach returns what is bound to an object, made on first use.
func (s *shard) attach(k event.Kept) *bound {
	b := s.boundTo(k)
	if b == nil {
		b = &bound{object: k, gen: s.gen.edition}
		if s.shadow != nil {
			s.shadow.follow(k) // an event's subject always is
		}
		s.Change()
		k.Slots().Set(s.turn, b)
		s.Changed()
	}
	return b
}

// subject returns the kept object that the event is about, or nil.
func (o *outcome) subject() event.Kept {
	if o.plan.subject == nil {
		return nil
	}
	k, _ := o.plan.subject.Get.Object(o.event).(event.Kept)
	return k
}

// boundAt returns what is bound to the event's subject at a point.
func (s *shard) boundAt(o *outcome, id event.PointID) []*binding {
	k := o.subject()
	if k == nil {
		return nil
	}
	b := s.boundTo(k)
	if b == nil {
		return nil
	}
	if b.gen != s.gen.edition {
		b.renew(s.gen.edition)
	}
	return b.at(id)
}

func (b *bound) at(id event.PointID) []*binding {
	for i := range b.points {
		if b.points[i].id == id {
			return b.points[i].list
		}
	}
	return nil
}

// renew takes the handlers of the live generation and their order. What this
// generation has no handler for was dropped when it was published.
func (b *bound) renew(gen uint64) {
	b.gen = gen
	for i := range b.points {
		list := slices.Clone(b.points[i].list) // an event that waits may be at it
		for _, x := range list {
			x.entry = x.target.at(x.on, x.place)
		}
		sortBindings(list)
		b.points[i].list = list
	}
}

func sortBindings(list []*binding) {
	sort.Slice(list, func(i, j int) bool {
		x, y := list[i], list[j]
		if inOrder(x.entry.rule, y.entry.rule) && inOrder(y.entry.rule, x.entry.rule) {
			return x.serial < y.serial
		}
		return inOrder(x.entry.rule, y.entry.rule)
	})
}

// set replaces the list of a point; an empty one takes the point away.
func (b *bound) set(id event.PointID, list []*binding) {
	i := slices.IndexFunc(b.points, func(p boundPoint) bool { return p.id == id })
	switch {
	case i < 0:
		b.points = append(b.points, boundPoint{id, list})
	case len(list) == 0:
		b.points = slices.Delete(b.points, i, i+1)
	default:
		b.points[i].list = list
	}
}

// find returns what the script has bound at a place, or nil.
func (b *bound) find(script string, p place) *binding {
	for _, x := range b.at(p.id) {
		if x.place == p && x.target.script() == script {
			return x
		}
	}
	return nil
}

// size counts bindings and timers.
func (b *bound) size() int {
	n := len(b.timers)
	for _, p := range b.points {
		n += len(p.list)
	}
	return n
}

// remove takes x out of what it is listed in.
func (b *bound) remove(x *binding) {
	if x.delay != nil {
		if i := slices.Index(b.timers, x); i >= 0 {
			b.timers = slices.Delete(b.timers, i, i+1)
		}
		return
	}
	list := b.at(x.place.id)
	rest := make([]*binding, 0, len(list))
	for _, y := range list {
		if y != x {
			rest = append(rest, y)
		}
	}
	b.set(x.place.id, rest)
}

// ObjectEnded implements [event.Ender]: bindings and timers end with their
// object.
func (b *bound) ObjectEnded() {
	for len(b.points) > 0 {
		x := b.points[0].list[0]
		x.on.release(x)
	}
	for len(b.timers) > 0 {
		x := b.timers[0]
		x.on.release(x)
	}
	for _, m := range b.muted {
		if m.era == m.state.era {
			m.state.muted--
		}
	}
	b.muted = nil
}

// Bind implements [Services]. What is bound while an event is handled takes
// effect with the next one; what it replaces does not run any more.
func (s *shard) Bind(call *Call, at *Attachment, point string, h *Handler) error {
	if err := reach(at); err != nil {
		return err
	}
	p, err := s.placeNamed(at, point)
	if err != nil {
		return err
	}
	b := s.attach(at.Object)
	if b.gen != s.gen.edition {
		b.renew(s.gen.edition)
	}
	old := b.find(call.Script, p)
	u := s.usage(call.Script)
	if old == nil {
		if err := s.room(b, u.bindings, s.engine.cfg.Limits.Bindings, "handlers bound"); err != nil {
			return err
		}
	}
	t, err := s.target(call.Script, h)
	if err != nil {
		return err
	}
	en := t.at(s, p)
	if en == nil {
		s.letGo(t)
		return fmt.Errorf("handler %q is not for %s%s", h.Name, point, t.rule.bindable())
	}
	x := &binding{target: t, owner: b, on: s, place: p, entry: en, param: h.Param, serial: s.serial}
	s.serial++
	list := append(slices.Clone(b.at(p.id)), x)
	sortBindings(list)
	b.set(p.id, list)
	u.bindings++
	s.bound.Bindings++
	s.count(p.id, 1)
	t.hold(x)
	if old != nil {
		s.release(old)
	}
	return nil
}

// Unbind implements [Services].
func (s *shard) Unbind(call *Call, at *Attachment, point string) error {
	if err := reach(at); err != nil {
		return err
	}
	p, err := s.placeNamed(at, point)
	if err != nil {
		return err
	}
	if b := s.boundTo(at.Object); b != nil {
		if x := b.find(call.Script, p); x != nil {
			s.release(x)
			return nil
		}
	}
	return fmt.Errorf("not bound: this script has no handler at %s of %s", point, at.Object.Label())
}

// release ends a binding: it does not run any more, not even for the event that
// is being handled.
func (s *shard) release(x *binding) {
	if x.gone {
		return
	}
	x.gone, s = true, x.on
	u := s.usage(x.target.script())
	if x.delay != nil {
		s.Timers().Stop(&x.delay.Timer)
		u.delays--
		s.bound.Delays--
		if x.owner == nil && u.named[x.target.key.name] == x {
			delete(u.named, x.target.key.name)
		}
	} else {
		u.bindings--
		s.bound.Bindings--
		s.count(x.place.id, -1)
	}
	if x.owner != nil {
		x.owner.remove(x)
	}
	x.target.drop(x)
	if x.target.held == nil {
		s.loosen(x.target)
	}
}

// tryBound runs a bound handler, where its event is reached from n.
func (s *shard) tryBound(o *outcome, x *binding, n *node) {
	if o.walk != nil && o.walk.gen != s.gen && x.entry.node != nil {
		return // the event waited over a reload, and that node is of another plan
	}
	if !x.gone && !o.decided && s.reached(o, x.entry.node, n.from()) {
		s.try(o, x.entry.entry, x)
	}
}

// reach tells why nothing can be bound to an object; nil if something can.
func reach(at *Attachment) error {
	if _, away := at.Object.(event.Away); away {
		return fmt.Errorf("%s is of another shard, which runs at the same time: only its own handlers can bind to it", at.Object.Label())
	}
	if at.Object.Ended() {
		return ended(at)
	}
	return nil
}

func ended(at *Attachment) error { return fmt.Errorf("%s has ended", at.Object.Label()) }
