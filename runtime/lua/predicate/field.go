package predicate

import (
	"net/netip"
	"time"
	"unsafe"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/runtime/lua/bind"
)

// field makes the value of a field: of the event itself where holder is nil,
// else of the object that it holds. The kind of a field that has no native form
// is null and it is not fixed.
func (c *compiler) field(f *event.Field, holder *value) value {
	r := reader{st: c.state}
	var v value
	if holder != nil {
		r.object = holder.object
		r.alive = holder.info.Kept && !f.AfterEnd
		v.touch = r.touch
	}
	if f.Get.Present != nil {
		v.present = through(r, f.Get.Present)
	}
	if c.machine != nil {
		if read := bind.Reader(f, c.machine.Values); read != nil {
			v.lua = through(r, read)
		}
	}
	switch g := f.Get; f.Type.Kind {
	case event.Bool:
		v.kind, v.boolean = boolean, through(r, g.Bool)
	case event.Uint:
		c.unsigned(&v, f, through(r, g.Uint))
	case event.Int, event.Size:
		get := through(r, g.Int)
		v.kind, v.number = number, func(e any) float64 { return float64(get(e)) }
	case event.Time:
		get := through(r, g.Int)
		v.kind, v.number = number, func(e any) float64 { return float64(get(e)) / 1e9 }
	case event.Duration:
		get := through(r, g.Int)
		v.kind, v.number = number, func(e any) float64 { return time.Duration(get(e)).Seconds() }
	case event.Float:
		v.kind, v.number = number, through(r, g.Float)
	case event.String:
		v.kind, v.text = text, through(r, g.String)
	case event.Bytes:
		get := through(r, g.Bytes)
		v.kind, v.text = text, func(e any) string { return lent(get(e)) }
	case event.Record:
		if c.machine != nil && holder != nil {
			c.data(&v, r)
		}
	case event.Enum:
		c.enum(&v, f, through(r, g.Uint))
	case event.IP:
		v.kind, v.addr = text, through(r, g.IP)
		v.present = also(v.present, func(e any) bool { return v.addr(e).IsValid() })
	case event.Endpoint:
		v.kind, v.endpoint = text, through(r, g.Endpoint)
		v.present = also(v.present, func(e any) bool { return v.endpoint(e).IsValid() })
	case event.ObjectRef:
		v.kind, v.object, v.info = object, through(r, g.Object), c.names.Objects.Object(f.Type.Object)
		v.present = func(e any) bool { return v.object(e) != nil }
		if v.info == nil {
			v.kind = null
		}
	}
	return v
}

// lent views lent bytes as text for as long as one decision takes: nothing here
// keeps its text.
func lent(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// unsigned makes a number of an unsigned integer.
func (c *compiler) unsigned(v *value, f *event.Field, get func(any) uint64) {
	v.kind, v.number = number, func(e any) float64 { return float64(get(e)) }
	if f.Type.Bits > 0 && f.Type.Bits <= 32 {
		v.small, v.most = get, 1<<f.Type.Bits-1
	}
}

// enum makes a string of an enumeration; a value without a word is nil.
func (c *compiler) enum(v *value, f *event.Field, get func(any) uint64) {
	words := f.Type.Names
	v.kind, v.word, v.words = text, get, words
	v.present = also(v.present, func(e any) bool { return get(e) < uint64(len(words)) })
	v.text = func(e any) string {
		if i := get(e); i < uint64(len(words)) {
			return words[i]
		}
		return ""
	}
}

func also(a, b func(any) bool) func(any) bool {
	if a == nil {
		return b
	}
	return func(e any) bool { return a(e) && b(e) }
}

// reader leads from the event to what holds a field.
type reader struct {
	st     *state
	object func(any) any // nil: the event itself
	alive  bool          // what holds it must not have ended
}

// touch asks where reading a field would raise.
func (r reader) touch(e any) {
	o := r.object(e)
	if o == nil || r.alive && ended(o) {
		r.st.ask = true
	}
}

func ended(o any) bool {
	k, ok := o.(event.Kept)
	return ok && k.Ended()
}

// through reads from what holds the field: an absent object and one that ended
// ask, because reading their fields raises.
func through[T any](r reader, get func(any) T) func(any) T {
	obj, st := r.object, r.st
	switch {
	case obj == nil:
		return get
	case r.alive:
		return func(e any) (x T) {
			o := obj(e)
			if o == nil || ended(o) {
				st.ask = true
				return x
			}
			return get(o)
		}
	}
	return func(e any) (x T) {
		o := obj(e)
		if o == nil {
			st.ask = true
			return x
		}
		return get(o)
	}
}

// addrOf reports whether text is how an address is written, and which.
func addrOf(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	return a, err == nil && a.String() == s
}

func endpointOf(s string) (netip.AddrPort, bool) {
	a, err := netip.ParseAddrPort(s)
	return a, err == nil && a.String() == s
}
