package match

import (
	"math"
	"net/netip"

	"github.com/hookd/hookd/engine/event"
)

// Key is the value of a path in a form that can be a map's key. Keys of the same
// path are equal exactly where the values are, as [Eq] compares them; keys of
// different paths are not to be mixed.
type Key struct {
	addr netip.Addr
	num  uint64
	text string
}

// Keyed reports whether values at p can be keys: all that are neither objects,
// nor lists, nor lent bytes.
func (p *Path) Keyed() bool { return p.key != nil }

// Key returns the value at p of the event e; ok is false where it is absent or
// p is not [Path.Keyed]. It allocates only where reading the field does.
func (p *Path) Key(e any) (key Key, ok bool) {
	if p.key == nil || p.Get.Present != nil && !p.Get.Present(e) {
		return Key{}, false
	}
	return p.key(e), true
}

// keyOf returns what makes a key of the value that g reads, nil for kinds that
// cannot be keys.
func keyOf(kind event.Kind, g event.Getter) func(any) Key {
	switch kind {
	case event.Bool:
		return func(e any) Key {
			if g.Bool(e) {
				return Key{num: 1}
			}
			return Key{}
		}
	case event.Uint, event.Enum:
		return func(e any) Key { return Key{num: g.Uint(e)} }
	case event.Int, event.Time, event.Duration, event.Size:
		return func(e any) Key { return Key{num: uint64(g.Int(e))} }
	case event.Float:
		return func(e any) Key { return Key{num: floatKey(g.Float(e))} }
	case event.String:
		return func(e any) Key { return Key{text: g.String(e)} }
	case event.IP:
		return func(e any) Key { return Key{addr: canonical(g.IP(e))} }
	case event.Endpoint:
		return func(e any) Key {
			ep := g.Endpoint(e)
			return Key{addr: canonical(ep.Addr()), num: uint64(ep.Port())}
		}
	}
	return nil
}

// floatKey gives equal floats equal bits: 0 and -0 are one key, as all NaN are.
func floatKey(f float64) uint64 {
	switch {
	case f == 0:
		return 0
	case f != f:
		return math.Float64bits(math.NaN())
	}
	return math.Float64bits(f)
}
