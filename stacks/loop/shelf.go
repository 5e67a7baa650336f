package loop

import (
	"errors"
	"iter"
)

var errNoShelf = errors.New("there are no stores here")

// Shelf finds a table by its name, in which protocols keep what is to outlive the process:
// a store of scripts. Any goroutine may ask.
type Shelf func(name string) (Table, error)

// Table is what a protocol keeps, texts by their keys. It may be used by any goroutine, and
// whoever else has it may change it.
type Table interface {
	// Put keeps a text, unless there is no room.
	Put(key, value string) error
	// Remove forgets one.
	Remove(key string)
	// All walks over what there is.
	All() iter.Seq2[string, string]
}

// Keep has protocols find tables. It is called before Start.
func (g *Group) Keep(s Shelf) { g.shelf = s }

// Table returns the table of that name; errNoShelf where there is none at all.
func (g *Group) Table(name string) (Table, error) {
	if g.shelf == nil {
		return nil, errNoShelf
	}
	return g.shelf(name)
}

// Opener is a [Protocol] that hears of listeners which let connections in from now on.
type Opener interface {
	Protocol
	// Opened is called with what Options returned, by a goroutine that has entered no shard.
	Opened(options any)
}

// opened tells the protocol that l lets connections in.
func (l *listener) opened() {
	if o, ok := l.spec.protocol.(Opener); ok {
		o.Opened(l.spec.options)
	}
}
