package main

import (
	"fmt"
	"iter"

	"github.com/hookd/hookd/engine/record"
	"github.com/hookd/hookd/engine/store"
	"github.com/hookd/hookd/stacks/loop"
)

// storeTable is a script's store as protocols of the event loop keep texts in it. It is
// found anew at each use, since a reload may have put another in its place.
type storeTable struct {
	stores *store.Registry
	name   string
}

// shelf finds the stores of an engine for the event loops.
func shelf(stores *store.Registry) loop.Shelf {
	return func(name string) (loop.Table, error) {
		t := storeTable{stores, name}
		if _, err := t.find(); err != nil {
			return nil, err
		}
		return t, nil
	}
}

func (t storeTable) find() (*store.Store, error) {
	s, ok := t.stores.Lookup(t.name)
	switch {
	case !ok:
		return nil, fmt.Errorf("no store %q is declared", t.name)
	case s.Kind() != store.Map || s.KeyType() != store.KeyString:
		return nil, fmt.Errorf(`store %q has to be a map by texts: { kind = "map", key = "string" }`, t.name)
	}
	return s, nil
}

// at returns the store, and the place of a key in it.
func (t storeTable) at(key string) (*store.Store, store.Key, error) {
	s, err := t.find()
	if err != nil {
		return nil, store.Key{}, err
	}
	k, err := s.Key(record.String(key))
	return s, k, err
}

// Put implements [loop.Table].
func (t storeTable) Put(key, value string) error {
	s, k, err := t.at(key)
	if err != nil {
		return err
	}
	return s.Put(k, record.String(value), store.Forever)
}

// Remove implements [loop.Table].
func (t storeTable) Remove(key string) {
	if s, k, err := t.at(key); err == nil {
		s.Remove(k)
	}
}

// All implements [loop.Table].
func (t storeTable) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		s, err := t.find()
		if err != nil {
			return
		}
		for item := range s.All() {
			key, isText := item.Key.Value().AsString()
			value, ok := item.Value.AsString()
			if isText && ok && !yield(key, value) {
				return
			}
		}
	}
}
