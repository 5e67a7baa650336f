package store

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// DefaultMaxStores is the most stores that a registry lets be declared.
const DefaultMaxStores = 1000

// Registry keeps the stores of a process across generations.
type Registry struct {
	clock     Clock
	maxStores int

	mu     sync.Mutex // guards all that follows; stores are locked under it
	live   map[string]*declared
	parked map[string]*Store // declared by the generation before, but not by this one
	gen    uint64            // grows with every publish
}

// declared is a store with the scripts that declare it.
type declared struct {
	store   *Store
	config  Config
	scripts []string // sorted
	source  Source   // what its content was filled from last
	fill    *Store   // content that it takes over at the publish
}

// NewRegistry makes an empty registry that reads event time from clock.
// maxStores bounds the number of stores; 0 means DefaultMaxStores.
func NewRegistry(clock Clock, maxStores int) *Registry {
	if maxStores == 0 {
		maxStores = DefaultMaxStores
	}
	return &Registry{
		clock: clock, maxStores: maxStores,
		live: make(map[string]*declared), parked: make(map[string]*Store),
	}
}

// Lookup returns the live store of that name.
func (r *Registry) Lookup(name string) (*Store, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, ok := r.live[name]
	if !ok {
		return nil, false
	}
	return d.store, true
}

// Stores returns the live stores, sorted by name.
func (r *Registry) Stores() []*Store {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]*Store, 0, len(r.live))
	for _, d := range r.live {
		list = append(list, d.store)
	}
	slices.SortFunc(list, func(a, b *Store) int { return strings.Compare(a.name, b.name) })
	return list
}

// Scripts returns the scripts that declare the live store of that name, sorted.
func (r *Registry) Scripts(name string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d, ok := r.live[name]; ok {
		return slices.Clone(d.scripts)
	}
	return nil
}

// Expire lets every store take out expired entries, in up to most steps each,
// and says whether more may be due. See Store.Expire.
func (r *Registry) Expire(most int) (more bool) {
	for _, s := range r.Stores() {
		if s.Expire(most) {
			more = true
		}
	}
	return more
}

// Declare adds one script's declaration to the live ones at once, as a Staging
// with nothing else in it would.
func (r *Registry) Declare(c Config, script string) (*Store, error) {
	st := r.Stage()
	s, err := st.Declare(c, script)
	if err != nil {
		return nil, err
	}
	if err := st.Publish(); err != nil {
		return nil, err
	}
	return s, nil
}

// ConflictError says that a declaration cannot stand beside another.
type ConflictError struct {
	Store  string
	Field  string // "kind", "key", "ttl", "max", "max_bytes", "evict", "file", "persist"
	Script string // the other script; empty if it is the store's content that is in the way
	Theirs string // what the other has in that field
	Ours   string // what was to be declared
	Size   int    // entries that are in the way, if Script is empty
}

// Error names the store, the field, both values, and who is in the way.
func (e *ConflictError) Error() string {
	if e.Script == "" {
		return fmt.Sprintf("store %q has %d entries with %s = %s and cannot become %s: clear it first, or take another name",
			e.Store, e.Size, e.Field, e.Theirs, e.Ours)
	}
	return fmt.Sprintf("store %q has %s = %s here, but %s declares it with %s",
		e.Store, e.Field, e.Ours, e.Script, e.Theirs)
}
