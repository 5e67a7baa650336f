package engine

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/hookd/hookd/engine/event/hookdev"
)

// rebind takes over what handlers bound into the generation that was just
// installed. Named handlers are that generation's from now on; functions stay
// with the machine that made them, which drains.
func (h *handover) rebind() {
	s := h.shard
	s.rebindNames()
	s.dropEvents()
	for _, sc := range h.leaving {
		if !s.retire(sc, h.old.Number) {
			h.closing = append(h.closing, sc)
		}
	}
}

// rebindNames gives each named handler its rule of the live generation, and
// drops what is bound to one that is gone, or not for that place any more.
func (s *shard) rebindNames() {
	var gone []*target
	for key, t := range s.targets {
		r := s.gen.rule(key.script, key.name)
		if r == nil || !r.decl.Handler || !r.covers(t.rule) {
			gone = append(gone, t)
			continue
		}
		t.means(r)
	}
	slices.SortFunc(gone, func(a, b *target) int {
		return cmp.Or(cmp.Compare(a.key.script, b.key.script), cmp.Compare(a.key.name, b.key.name))
	})
	for _, t := range gone {
		s.dropGone(t)
	}
}

// dropGone drops what a handler is bound to that its script does not declare for
// that any more.
func (s *shard) dropGone(t *target) {
	r := s.gen.rule(t.key.script, t.key.name)
	if r == nil || !r.decl.Handler {
		s.dropAll(t, s.gen.Number, "the script does not declare the handler any more", func(*binding) bool { return true })
		return
	}
	t.means(r)
	s.dropAll(t, s.gen.Number, "the handler is not declared for this any more", func(x *binding) bool {
		if x.delay != nil {
			return len(r.decl.On) > 0
		}
		return r.places[x.place] == nil
	})
}

// covers reports whether r can stand wherever the handler of the same name
// before it was bound: then there is nothing to look for.
func (r *rule) covers(before *rule) bool {
	if len(r.decl.On) > 0 != (len(before.decl.On) > 0) {
		return false
	}
	for p := range before.places {
		if r.places[p] == nil {
			return false
		}
	}
	return true
}

// dropEvents drops functions that are bound to user-defined events which are
// gone.
func (s *shard) dropEvents() {
	for _, src := range s.inOrder() {
		for _, t := range src.inOrder() {
			for p := range t.standings {
				if p.user == "" {
					continue
				}
				if u := s.gen.users[p.user]; u == nil || u.nodes[p.id] == nil {
					s.dropAll(t, s.gen.Number, "no script declares event."+p.user+" any more", func(x *binding) bool { return x.delay == nil && x.place == p })
					delete(t.standings, p)
				}
			}
		}
	}
}

// inOrder lists the machines with functions, the oldest first.
func (s *shard) inOrder() []*source {
	list := make([]*source, 0, len(s.sources))
	for _, src := range s.sources {
		list = append(list, src)
	}
	slices.SortFunc(list, func(a, b *source) int {
		return cmp.Or(cmp.Compare(a.script.path, b.script.path), cmp.Compare(a.gen, b.gen))
	})
	return list
}

// inOrder lists the bound functions by number.
func (src *source) inOrder() []*target {
	list := make([]*target, 0, len(src.targets))
	for _, t := range src.targets {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b *target) int { return cmp.Compare(a.rule.run, b.rule.run) })
	return list
}

// dropAll ends the bindings of t that which selects, and says so in one event.
func (s *shard) dropAll(t *target, gen uint64, why string, which func(*binding) bool) {
	n := uint64(0)
	for x := t.held; x != nil; {
		next := x.next
		if which(x) {
			s.release(x)
			n++
		}
		x = next
	}
	s.dropped(t.script(), t.rule.decl.Name, gen, n, why)
}

// dropped counts and raises that n bindings ended before their time.
func (s *shard) dropped(script, name string, gen, n uint64, why string) {
	if n == 0 {
		return
	}
	s.bound.HandlersDropped += n
	s.raiseOwn(hookdev.OnHandlerDropped.ID(), &hookdev.HandlerDropped{
		Script: script, Name: name, Generation: gen, Bindings: n, Reason: why,
	})
}

// retire lets the machine of a script that is not live any more go on, if functions
// of it are bound or something waits in it, for those; false: it is to be closed.
// Beyond a few such, the oldest is cut. gen is the generation that it was live in.
func (s *shard) retire(sc *script, gen uint64) bool {
	src := s.sources[sc.instance]
	if src == nil {
		src = &source{on: s, script: sc, instance: sc.instance, gen: gen}
	}
	if len(src.targets) == 0 && !s.needed(sc) {
		delete(s.sources, sc.instance)
		return false
	}
	s.sources[sc.instance] = src
	src.retired = true
	u := s.usage(sc.path)
	u.draining = append(u.draining, src)
	s.bound.Draining++
	if most := s.engine.cfg.Limits.Draining; len(u.draining) > most*len(s.turn.shards) {
		s.cut(u.draining[0], fmt.Sprintf("%d later generations of the script drain too", most))
	}
	return true
}

// cut ends all that is bound to functions of a machine and all that waits in it,
// and the machine itself if that was what it was kept for.
func (s *shard) cut(src *source, why string) {
	n := uint64(0)
	for _, t := range src.inOrder() {
		for t.held != nil {
			s.release(t.held)
			n++
		}
	}
	n += s.cancel(src.instance)
	if src.retired && s.sources[src.instance] == src {
		s.closeSource(src)
	}
	s.dropped(src.script.path, "*", src.gen, n, why)
}

// poisoned drops what was bound to functions of a machine that had to be made
// anew: they are gone with the old one.
func (s *shard) poisoned(in Instance, se *ScriptError) {
	if !se.Poisoned {
		return
	}
	for _, t := range s.turn.shards {
		if src := t.sources[in]; src != nil {
			t.cut(src, "the script's machine had to be made anew")
		}
	}
}
