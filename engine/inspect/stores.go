package inspect

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/hookd/hookd/engine/control"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/store"
)

// Limits of one answer about a store: entries without and with a limit asked for.
const (
	defaultEntries = 100
	maxEntries     = 10_000
)

// StoresAnswer lists the live stores by name.
type StoresAnswer struct {
	V      int     `json:"v"`
	Stores []Store `json:"stores"`
}

// Store is one store with its counters.
type Store struct {
	Name    string   `json:"name"`
	Kind    string   `json:"kind"` // set, map, counter
	Key     string   `json:"key"`
	Scripts []string `json:"scripts"` // that declare it
	Entries int      `json:"entries"`
	Max     int      `json:"max"`
	Bytes   int      `json:"bytes"`
	// TTL is in seconds, 0 where entries do not expire of themselves.
	TTL     float64 `json:"ttl"`
	File    string  `json:"file,omitempty"`
	Persist bool    `json:"persist"`
	Added   uint64  `json:"added"`
	Expired uint64  `json:"expired"`
	Evicted uint64  `json:"evicted"`
	Refused uint64  `json:"refused"`
}

// StoreAnswer is one store with its oldest entries.
type StoreAnswer struct {
	V     int   `json:"v"`
	Store Store `json:"store"`
	// Items are in the order in which they came in; More: there are more.
	Items []Item `json:"items"`
	More  bool   `json:"more"`
}

// Item is one entry.
type Item struct {
	Key string `json:"key"`
	// Value is what a map holds or a counter counts; absent in a set.
	Value json.RawMessage `json:"value,omitempty"`
	// TTL is how many seconds of event time are left; absent: it does not expire.
	TTL *float64 `json:"ttl,omitempty"`
}

// Stores lists the live stores.
func (in *Inspector) Stores() *StoresAnswer {
	a := &StoresAnswer{V: Version, Stores: []Store{}}
	reg := in.engine.Stores()
	for _, s := range reg.Stores() {
		a.Stores = append(a.Stores, storeOf(reg, s))
	}
	return a
}

func storeOf(reg *store.Registry, s *store.Store) Store {
	cfg, st := s.Config(), s.Stats()
	return Store{
		Name: s.Name(), Kind: s.Kind().String(), Key: s.KeyType().String(), Scripts: append([]string{}, reg.Scripts(s.Name())...),
		Entries: st.Entries, Max: cfg.Max, Bytes: st.Bytes, TTL: cfg.TTL.Seconds(), File: cfg.File, Persist: cfg.Persist,
		Added: st.Added, Expired: st.Expired, Evicted: st.Evicted, Refused: st.Refused,
	}
}

func (in *Inspector) store(r *http.Request) (any, error) {
	limit, err := Number(r, "limit", defaultEntries, maxEntries)
	if err != nil {
		return nil, err
	}
	return in.Store(r.PathValue("name"), limit)
}

// Store returns a store with its oldest entries, at most so many. The error is a
// [*control.Error].
func (in *Inspector) Store(name string, limit int) (*StoreAnswer, error) {
	reg := in.engine.Stores()
	s, ok := reg.Lookup(name)
	if !ok {
		var names []string
		for _, s := range reg.Stores() {
			names = append(names, s.Name())
		}
		msg := "there is no store " + name
		if near := diag.Nearest(name, names); near != "" {
			msg += "; did you mean " + near + "?"
		}
		return nil, control.Errorf(http.StatusNotFound, "%s", msg)
	}
	a := &StoreAnswer{V: Version, Store: storeOf(reg, s), Items: []Item{}}
	now := in.engine.Now()
	for item := range s.All() {
		if len(a.Items) == limit {
			a.More = true
			break
		}
		it := Item{Key: item.Key.String()}
		if s.Kind() != store.Set {
			it.Value = item.Value.AppendJSON(nil)
		}
		if item.Until != 0 {
			left := max(time.Duration(item.Until-now), 0).Seconds()
			it.TTL = &left
		}
		a.Items = append(a.Items, it)
	}
	return a, nil
}
