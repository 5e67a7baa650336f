package match

import (
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/store"
)

// Keyed reports whether values at p can be keys: all that are neither objects,
// nor lists, nor lent bytes.
func (p *Path) Keyed() bool { return p.key != nil }

// Key returns the value at p of the event e as the key of a store or threshold;
// ok is false where it is absent or p is not [Path.Keyed]. It allocates only
// where reading the field does.
func (p *Path) Key(e any) (key store.Key, ok bool) {
	if p.key == nil || p.Get.Present != nil && !p.Get.Present(e) {
		return store.Key{}, false
	}
	return p.key(e), true
}

// keyOf returns what makes a key of the value that g reads, nil for kinds that
// cannot be keys.
func keyOf(kind event.Kind, g event.Getter) func(any) store.Key {
	switch kind {
	case event.Bool:
		return func(e any) store.Key { return store.BoolKey(g.Bool(e)) }
	case event.Uint, event.Enum:
		return func(e any) store.Key { return store.NumberKey(float64(g.Uint(e))) }
	case event.Int, event.Time, event.Duration, event.Size:
		return func(e any) store.Key { return store.NumberKey(float64(g.Int(e))) }
	case event.Float:
		return func(e any) store.Key { return store.NumberKey(g.Float(e)) }
	case event.String:
		return func(e any) store.Key { return store.StringKey(g.String(e)) }
	case event.IP:
		return func(e any) store.Key { return store.AddrKey(g.IP(e)) }
	case event.Endpoint:
		return func(e any) store.Key { return store.EndpointKey(g.Endpoint(e)) }
	}
	return nil
}
