package store

import (
	"fmt"
	"strings"
	"time"

	"github.com/hookd/hookd/engine/record"
)

// Kind is what a store is.
type Kind uint8

// The kinds of store.
const (
	Set     Kind = iota // keys
	Map                 // keys with plain data
	Counter             // keys with a number
)

var kinds = [...]string{Set: "set", Map: "map", Counter: "counter"}

// String returns the name as scripts write it.
func (k Kind) String() string {
	if int(k) < len(kinds) {
		return kinds[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// ParseKind returns the kind that a script names.
func ParseKind(name string) (Kind, error) {
	for k, s := range kinds {
		if s == name {
			return Kind(k), nil
		}
	}
	return 0, fmt.Errorf("unknown kind of store %q: one of %s", name, strings.Join(kinds[:], ", "))
}

// Evict is what happens when a full store gets another key.
type Evict uint8

// The ways to deal with a full store.
const (
	Refuse Evict = iota // the new key is refused
	Oldest              // the key that was added first goes
)

var evicts = [...]string{Refuse: "refuse", Oldest: "oldest"}

// String returns the name as scripts write it.
func (e Evict) String() string {
	if int(e) < len(evicts) {
		return evicts[e]
	}
	return fmt.Sprintf("evict %d", uint8(e))
}

// ParseEvict returns the way that a script names.
func ParseEvict(name string) (Evict, error) {
	for e, s := range evicts {
		if s == name {
			return Evict(e), nil
		}
	}
	return 0, fmt.Errorf("unknown way to evict %q: one of %s", name, strings.Join(evicts[:], ", "))
}

// Limits of a store that its declaration leaves out, and the most it may ask.
const (
	DefaultMax      = 100_000
	MostMax         = 10_000_000
	DefaultMaxBytes = 64 << 20
)

// Forever as a time to live means that an entry never expires, also where the
// store has a time to live.
const Forever = time.Duration(1<<63 - 1)

// Config is a store's declaration.
type Config struct {
	Name     string
	Kind     Kind
	Key      KeyType
	TTL      time.Duration // of entries that are added without one; 0: they never expire
	Max      int           // entries; 0: DefaultMax
	MaxBytes int           // memory, about; 0: DefaultMaxBytes
	Evict    Evict
	File     string // its content is that of this file, which others read, and nobody else adds to it
	Persist  bool   // its content survives restarts; who owns the registry sees to that
}

// normal checks a declaration and fills in what it left out.
func (c Config) normal() (Config, error) {
	fail := func(format string, args ...any) (Config, error) {
		return Config{}, fmt.Errorf("store %q: "+format, append([]any{c.Name}, args...)...)
	}
	if c.Max == 0 {
		c.Max = DefaultMax
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = DefaultMaxBytes
	}
	switch {
	case c.Name == "" || len(c.Name) > 128:
		return Config{}, fmt.Errorf("a store's name has 1 to 128 bytes, not %d", len(c.Name))
	case int(c.Kind) >= len(kinds):
		return fail("unknown %v", c.Kind)
	case int(c.Key) >= len(keyTypes):
		return fail("unknown %v", c.Key)
	case int(c.Evict) >= len(evicts):
		return fail("unknown %v", c.Evict)
	case c.TTL < 0:
		return fail("ttl = %v is negative", c.TTL)
	case c.Max < 1 || c.Max > MostMax:
		return fail("max = %d is not in 1 to %d", c.Max, MostMax)
	case c.MaxBytes < 1:
		return fail("max_bytes = %d is not positive", c.MaxBytes)
	case c.File != "" && c.Persist:
		return fail("file and persist: what a file holds survives anyway")
	case c.File != "" && c.TTL != 0:
		return fail("file and ttl: what a file holds does not expire")
	case c.File != "" && c.Evict == Oldest:
		return fail("file and evict: what a file holds stays")
	}
	return c, nil
}

// differ names the first field in which two declarations differ, and what each
// has there.
func (c Config) differ(d Config) (field, ours, theirs string) {
	rows := []struct {
		field        string
		ours, theirs any
	}{
		{"kind", c.Kind, d.Kind},
		{"key", c.Key, d.Key},
		{"file", c.File, d.File},
		{"ttl", c.TTL, d.TTL},
		{"max", c.Max, d.Max},
		{"max_bytes", record.Bytes(c.MaxBytes), record.Bytes(d.MaxBytes)},
		{"evict", c.Evict, d.Evict},
		{"persist", c.Persist, d.Persist},
	}
	for _, r := range rows {
		if r.ours != r.theirs {
			return r.field, fmt.Sprint(r.ours), fmt.Sprint(r.theirs)
		}
	}
	return "", "", ""
}

// Reason says why a store refused.
type Reason uint8

// The reasons of an Error.
const (
	Full      Reason = iota + 1 // Max or MaxBytes, and Evict is Refuse
	BadKey                      // the key is not of the store's type, or too long
	BadTTL                      // negative
	BadNumber                   // NaN or an infinity added to a counter
	WrongKind                   // the operation is not for this kind of store
	TooLarge                    // one entry alone passes MaxBytes
	ReadOnly                    // a file holds the content
)

// Error is what a refused operation returns; its text is for the author of a
// script.
type Error struct {
	Store  string
	Reason Reason
	Detail string
}

// Error names the store and what was wrong.
func (e *Error) Error() string {
	if e.Reason == Full {
		return fmt.Sprintf("store %q is full: %s", e.Store, e.Detail)
	}
	return fmt.Sprintf("store %q: %s", e.Store, e.Detail)
}
