package store

import (
	"errors"
	"fmt"
	"slices"
)

// ErrOvertaken is returned by Publish if another Staging of the registry was
// published since Stage.
var ErrOvertaken = errors.New("store: publish: another generation was published meanwhile")

// Staging collects the declarations of a generation. It begins with the live
// ones: for every script that is loaded anew or is gone, first Forget it.
// Nothing takes effect before Publish.
//
// A store keeps its content over generations. Its time to live, limits and the
// like may change freely: entries keep the deadlines they have, a lower limit
// evicts at once where Evict is Oldest and else only refuses. Its kind or key
// type may change only while it is empty; what comes in between Declare and
// Publish is then lost. A store that no script declares any
// more keeps its content for one generation, so that rolling back finds it, and
// is dropped with the next.
type Staging struct {
	r    *Registry
	gen  uint64
	all  map[string]*declared
	done bool
}

// Stage begins a generation.
func (r *Registry) Stage() *Staging {
	r.mu.Lock()
	defer r.mu.Unlock()
	st := &Staging{r: r, gen: r.gen, all: make(map[string]*declared, len(r.live))}
	for name, d := range r.live {
		st.all[name] = &declared{store: d.store, config: d.config, scripts: slices.Clone(d.scripts), source: d.source}
	}
	return st
}

// Forget takes back what script declared.
func (st *Staging) Forget(script string) {
	for name, d := range st.all {
		if i, found := slices.BinarySearch(d.scripts, script); found {
			d.scripts = slices.Delete(d.scripts, i, i+1)
		}
		if len(d.scripts) == 0 {
			delete(st.all, name)
		}
	}
}

// Declare adds a declaration by script and returns its store, which is the live
// one if that name was declared before. Declaring the same again is fine, also
// by several scripts; a difference is a *ConflictError.
func (st *Staging) Declare(c Config, script string) (*Store, error) {
	c, err := c.normal()
	if err != nil {
		return nil, err
	}
	if d := st.all[c.Name]; d != nil {
		if field, ours, theirs := c.differ(d.config); field != "" {
			return nil, &ConflictError{Store: c.Name, Field: field, Script: other(d.scripts, script), Ours: ours, Theirs: theirs}
		}
		if i, found := slices.BinarySearch(d.scripts, script); !found {
			d.scripts = slices.Insert(d.scripts, i, script)
		}
		return d.store, nil
	}
	if len(st.all) >= st.r.maxStores {
		return nil, fmt.Errorf("store %q: there are %d stores already, which is the most", c.Name, st.r.maxStores)
	}
	s, err := st.r.storeFor(c)
	if err != nil {
		return nil, err
	}
	d := &declared{store: s, config: c, scripts: []string{script}}
	if old := st.r.source(s); c.File != "" {
		d.source = old
	}
	st.all[c.Name] = d
	return s, nil
}

// other picks whom to name in a conflict: another script if there is one.
func other(scripts []string, script string) string {
	for _, s := range scripts {
		if s != script {
			return s
		}
	}
	return script
}

// storeFor returns the store that has the content for a declaration.
func (r *Registry) storeFor(c Config) (*Store, error) {
	r.mu.Lock()
	old := r.parked[c.Name]
	if d := r.live[c.Name]; d != nil {
		old = d.store
	}
	r.mu.Unlock()
	if old == nil {
		return newStore(c, r.clock), nil
	}
	if old.kind == c.Kind && old.keys == c.Key {
		return old, nil
	}
	n := old.Size()
	if n == 0 {
		return newStore(c, r.clock), nil
	}
	e := &ConflictError{Store: c.Name, Field: "kind", Ours: c.Kind.String(), Theirs: old.kind.String(), Size: n}
	if old.kind == c.Kind {
		e.Field, e.Ours, e.Theirs = "key", c.Key.String(), old.keys.String()
	}
	return nil, e
}

// Publish makes the declarations hold. It fails, and changes nothing, only if
// another Staging was published since Stage, or this one already ended.
func (st *Staging) Publish() error {
	r := st.r
	r.mu.Lock()
	defer r.mu.Unlock()
	if st.done {
		return errors.New("store: publish: this staging has ended")
	}
	if r.gen != st.gen {
		return ErrOvertaken
	}
	st.done = true
	parked := make(map[string]*Store)
	for name, d := range r.live {
		if st.all[name] == nil {
			parked[name] = d.store
		}
	}
	for _, d := range st.all {
		d.store.reconfigure(d.config)
		if d.fill != nil {
			d.store.take(d.fill)
			d.fill = nil
		}
	}
	r.live, r.parked = st.all, parked
	r.gen++
	return nil
}

// Discard ends the staging without effect.
func (st *Staging) Discard() { st.done = true }

// reconfigure gives the store a declaration of the same kind and key type.
func (s *Store) reconfigure(c Config) {
	s.mu.Lock()
	s.config = c
	s.filled.Store(c.File != "")
	s.mu.Unlock()
	for c.Evict == Oldest && s.shrink(sweepChunk) {
	}
}

// shrink takes out up to most entries that are above the limits and says
// whether there may be more.
func (s *Store) shrink(most int) (more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range most {
		if s.index.Len() <= s.config.Max && s.stats.Bytes <= s.config.MaxBytes {
			return false
		}
		if !s.sweep(1) {
			s.drop(s.order.first())
			s.stats.Evicted++
		}
	}
	return true
}
