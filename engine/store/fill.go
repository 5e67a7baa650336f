package store

import (
	"crypto/sha256"
	"slices"
)

// Source identifies what a store was filled from: a digest of a file's name and
// bytes. The zero Source is nothing.
type Source [sha256.Size]byte

// Declaration is a store of a staging as those see it who fill stores.
type Declaration struct {
	Config Config
	// Scripts declare it, sorted.
	Scripts []string
	// Source is what its content was filled from last.
	Source Source
	// Live says that the store is in use: it was declared by the generation
	// before, or is kept from the one before that.
	Live bool
}

// Declarations lists what is declared, sorted by name.
func (st *Staging) Declarations() []Declaration {
	names := make([]string, 0, len(st.all))
	for name := range st.all {
		names = append(names, name)
	}
	slices.Sort(names)
	list := make([]Declaration, len(names))
	for i, name := range names {
		d := st.all[name]
		list[i] = Declaration{Config: d.config, Scripts: slices.Clone(d.scripts), Source: d.source, Live: st.r.holds(d.store)}
	}
	return list
}

// source returns what a live store was filled from last.
func (r *Registry) source(s *Store) Source {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := r.live[s.name]; d != nil && d.store == s {
		return d.source
	}
	return Source{}
}

// holds says whether a store is live or kept for a generation that rolls back.
func (r *Registry) holds(s *Store) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.live[s.name]
	return d != nil && d.store == s || r.parked[s.name] == s
}

// Aside returns an empty store with the declaration of that name, nobody's yet,
// to be filled and handed to Fill; nil if there is no such declaration.
func (st *Staging) Aside(name string) *Store {
	d := st.all[name]
	if d == nil {
		return nil
	}
	c := d.config
	c.File = "" // which would make it read-only
	s := newStore(c, st.r.clock)
	d.store.mu.RLock()
	s.seq = d.store.seq // walks that go on meet none of the new entries
	d.store.mu.RUnlock()
	return s
}

// Fill makes the declared store have the content of another one, of Aside, from
// the publish on. src is remembered.
func (st *Staging) Fill(name string, content *Store, src Source) {
	if d := st.all[name]; d != nil {
		d.fill, d.source = content, src
	}
}

// take makes the content of from, which nobody else has, that of s, in no time.
func (s *Store) take(from *Store) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Removed += uint64(s.index.Len())
	s.stats.Added += from.stats.Added
	s.stats.Bytes = from.stats.Bytes
	s.index, s.routes, s.order, s.due, s.seq = from.index, from.routes, from.order, from.due, max(s.seq, from.seq)
	s.count.Store(from.count.Load())
}
