package loop

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hookd/hookd/stacks/netio"
)

// Change is what becomes of the listeners when declarations do: new sockets are
// open, and nothing else happened yet. One of Commit and Abort ends it.
type Change struct {
	g      *Group
	opened map[string]*listener // new, or in the place of one that there is
	kept   map[string]*spec     // unchanged, or with other options of the protocol
	done   bool
}

// Prepare makes the listeners be those of list, up to where nothing can fail any more:
// sockets that are not open are opened, and let nobody in. Unchanged listeners keep
// theirs. Each error is about the declaration of its place; then nothing is open that
// was not, and Change is nil. Without Start nothing is opened at all. Any goroutine
// that has entered no shard; changes follow each other.
func (g *Group) Prepare(list []Listen) (*Change, []error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	ch := &Change{g: g, opened: map[string]*listener{}, kept: map[string]*spec{}}
	errs := make([]error, len(list))
	specs := make([]*spec, len(list))
	for i, l := range list {
		specs[i], errs[i] = g.parse(l)
	}
	failed := errors.Join(errs...) != nil
	for i, l := range list {
		if failed || len(g.list()) == 0 {
			break
		}
		old := g.listeners[l.Name]
		switch {
		case old != nil && old.spec.sameSocket(specs[i]):
			ch.kept[l.Name] = specs[i]
		case old != nil && old.spec.url == specs[i].url && old.sock != nil:
			ch.opened[l.Name], errs[i] = g.open(l.Name, specs[i], old)
		default:
			ch.opened[l.Name], errs[i] = g.open(l.Name, specs[i], nil)
		}
		if errs[i] != nil {
			errs[i] = fmt.Errorf("%s: %w", specs[i].url, errs[i])
			failed = true
		}
	}
	if failed {
		ch.abort()
		return nil, errs
	}
	return ch, nil
}

// Abort closes what was opened.
func (ch *Change) Abort() {
	ch.g.mu.Lock()
	defer ch.g.mu.Unlock()
	ch.abort()
}

func (ch *Change) abort() {
	if ch.done {
		return
	}
	ch.done = true
	for _, l := range ch.opened {
		if l != nil {
			l.abort()
		}
	}
}

// Commit lets those in who come to new listeners, and closes those that are declared
// no more. It is called by a goroutine that has entered no shard.
func (ch *Change) Commit() {
	g := ch.g
	g.mu.Lock()
	defer g.mu.Unlock()
	if ch.done {
		return
	}
	ch.done = true
	var gone []*listener
	for _, name := range slices.Sorted(maps.Keys(g.listeners)) {
		l := g.listeners[name]
		if s := ch.kept[name]; s != nil {
			l.adopt(s)
			l.opened()
			continue
		}
		gone = append(gone, l)
		delete(g.listeners, name)
	}
	for _, name := range slices.Sorted(maps.Keys(ch.opened)) {
		g.listeners[name] = ch.opened[name]
		ch.opened[name].opened()
		ch.opened[name].start()
	}
	for _, l := range gone {
		l.stop(netio.Reason{})
	}
	g.Wake()
}

// adopt takes options of the protocol that hold for connections from now on.
func (l *listener) adopt(s *spec) {
	if s.tls != nil {
		l.sock.SetTLS(s.tls)
	}
	if s.tls == nil && l.spec.same(s) { // of TLS, files may have changed
		return
	}
	l.spec = s
	for _, p := range l.ports {
		p.s.sh.Enter()
		p.spec = s
		p.s.sh.Leave()
	}
}
