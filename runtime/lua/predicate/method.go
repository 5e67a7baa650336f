package predicate

import (
	"math"
	"net/netip"
	"slices"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine/store"
)

// method makes the value of a call, with one argument, on the object that self
// gives. A method is called only on an object that is there and has not ended.
type method func(c *compiler, x *ast.FuncCallExpr, self caller, arg value) (value, error)

// caller computes the object of a call; false asks.
type caller func(e any) (o any, ok bool)

// call compiles the call of a pure method.
func (c *compiler) call(x *ast.FuncCallExpr, sc *scope) (value, error) {
	if x.Method == "" {
		if v, ok, err := c.readState(x); ok {
			return v, err
		}
		return value{}, refuse(x, "the call of a function")
	}
	self, err := c.value(x.Receiver, sc)
	if err != nil {
		return self, err
	}
	var args []value
	for _, a := range x.Args {
		v, err := c.value(a, sc)
		if err != nil {
			return v, err
		}
		args = append(args, v)
	}
	if s := storeOf(self); s != nil {
		return c.lookup(x, s, args)
	}
	if self.kind != object {
		return value{}, refuse(x, "a method of %s", self.kind)
	}
	m := methods[self.info.Name+":"+x.Method]
	if m == nil || len(args) != 1 {
		return value{}, refuse(x, "the method %s", x.Method)
	}
	st, get, kept := c.state, self.object, self.info.Kept
	return m(c, x, func(e any) (any, bool) {
		o := get(e)
		if o == nil || kept && ended(o) {
			st.ask = true
			return nil, false
		}
		return o, true
	}, args[0])
}

// asked makes the boolean that a method returns.
func asked(self caller, is func(o any) bool) value {
	fn := func(e any) bool {
		o, ok := self(e)
		return ok && is(o)
	}
	return value{kind: boolean, boolean: fn, touch: func(e any) { self(e) }}
}

// booleanOf is a method that takes a constant, of which read makes what it takes
// in Go, and says yes or no.
func booleanOf[A any](read func(word string) (A, bool), is func(o any, arg A) bool) method {
	return func(_ *compiler, x *ast.FuncCallExpr, self caller, v value) (value, error) {
		arg, err := constantArg(x, read, v)
		if err != nil {
			return value{}, err
		}
		return asked(self, func(o any) bool { return is(o, arg) }), nil
	}
}

// numberOf is booleanOf for a method that may return a number.
func numberOf[A any](read func(word string) (A, bool), get func(o any, arg A) (float64, bool)) method {
	return func(_ *compiler, x *ast.FuncCallExpr, self caller, v value) (value, error) {
		arg, err := constantArg(x, read, v)
		if err != nil {
			return value{}, err
		}
		return maybe(self, func(o, _ any) (float64, bool) { return get(o, arg) }), nil
	}
}

func constantArg[A any](x *ast.FuncCallExpr, read func(word string) (A, bool), v value) (arg A, err error) {
	word, ok := v.known.(string)
	if !ok {
		return arg, refuse(x, "an argument that is no constant text")
	}
	if arg, ok = read(word); !ok {
		return arg, refuse(x, "an argument that is none")
	}
	return arg, nil
}

func asText(word string) (string, bool) { return word, true }

func asBytes(word string) ([]byte, bool) { return []byte(word), true }

// maybe makes the number that a method may return.
func maybe(self caller, get func(o, e any) (float64, bool)) value {
	return value{
		kind: number,
		present: func(e any) bool {
			o, ok := self(e)
			if !ok {
				return false
			}
			_, ok = get(o, e)
			return ok
		},
		number: func(e any) float64 {
			o, ok := self(e)
			if !ok {
				return 0
			}
			n, _ := get(o, e)
			return n
		},
		touch: func(e any) { self(e) },
	}
}

// numberAt is a method that reads a number at a place.
func numberAt(read func(o any, at uint32) (float64, bool)) method {
	return func(c *compiler, x *ast.FuncCallExpr, self caller, arg value) (value, error) {
		if arg.kind != number {
			return value{}, refuse(x, "a place that is %s", arg.kind)
		}
		if arg.fixed {
			k := arg.known.(float64)
			if k < 0 || k > math.MaxUint32 || k != math.Trunc(k) {
				return value{}, refuse(x, "a place that is none")
			}
			place := uint32(k)
			return maybe(self, func(o, _ any) (float64, bool) { return read(o, place) }), nil
		}
		st, get := c.state, c.needNumber(arg)
		v := maybe(self, func(o, e any) (float64, bool) {
			k := get(e)
			if !(k >= 0 && k <= math.MaxUint32 && k == math.Trunc(k)) {
				st.ask = true
				return 0, false
			}
			return read(o, uint32(k))
		})
		v.touch = func(e any) { v.present(e) }
		return v, nil
	}
}

// lookup compiles the methods of stores that change nothing.
func (c *compiler) lookup(x *ast.FuncCallExpr, s *store.Store, args []value) (value, error) {
	switch {
	case x.Method == "size" && len(args) == 0:
		return c.sizeOf(s), nil
	case len(args) != 1:
	case x.Method == "has":
		key, err := c.key(x, s, args[0])
		if err != nil {
			return value{}, err
		}
		return value{kind: boolean, touch: func(e any) { key(e) }, boolean: once(c, func(e any) bool {
			k, ok := key(e)
			return ok && s.Has(k)
		})}, nil
	case x.Method == "get" && s.Kind() == store.Counter:
		key, err := c.key(x, s, args[0])
		if err != nil {
			return value{}, err
		}
		return computed(once(c, func(e any) float64 {
			k, ok := key(e)
			if !ok {
				return 0
			}
			return s.Count(k)
		}), func(e any) { key(e) }), nil
	}
	return value{}, refuse(x, "the method %s of a store", x.Method)
}

// sizeOf is how many keys a store holds.
func (c *compiler) sizeOf(s *store.Store) value {
	return computed(once(c, func(any) float64 { return float64(s.Size()) }), nil)
}

// key makes the key that a value is in a store. A value that is no key asks: the
// method then says what is wrong, and the store counts it.
func (c *compiler) key(x ast.Expr, s *store.Store, v value) (func(e any) (store.Key, bool), error) {
	st := c.state
	get := c.keyOf(s.KeyType(), v)
	if get == nil {
		return nil, refuse(x, "%s as a key of a store of %s keys", v.describe(), s.KeyType())
	}
	present := v.there().fn()
	return func(e any) (k store.Key, ok bool) {
		if present(e) {
			k = get(e)
		}
		if !k.IsValid() {
			st.ask = true
			return k, false
		}
		return k, true
	}, nil
}

// keyOf makes the key of a value that is there; nil where the types do not fit
// or the key would have to be made of a new text. An invalid key asks.
func (c *compiler) keyOf(t store.KeyType, v value) func(any) store.Key {
	texts := t == store.KeyString || t == store.KeyAny
	switch {
	case v.addr != nil && (t == store.KeyIP || t == store.KeyCIDR):
		return func(e any) store.Key { return addrKey(v.addr(e)) }
	case v.endpoint != nil && t == store.KeyEndpoint:
		return func(e any) store.Key {
			if at := v.endpoint(e); at.Addr().Zone() == "" {
				return store.EndpointKey(at)
			}
			return store.Key{}
		}
	case v.kind == text && v.text != nil && texts:
		return func(e any) store.Key { return textKey(v.text(e)) }
	case v.kind == number && (t == store.KeyNumber || t == store.KeyAny):
		return func(e any) store.Key { return store.NumberKey(v.number(e)) }
	case v.kind == text && v.fixed && !slices.Contains([]store.KeyType{store.KeyNumber, store.KeyString, store.KeyAny}, t):
		k, err := t.Parse(v.known.(string))
		if err != nil {
			return nil
		}
		return func(any) store.Key { return k }
	}
	return nil
}

// addrKey is the key of an address as a script writes it; one with a zone is
// none.
func addrKey(a netip.Addr) store.Key {
	if a.Zone() != "" {
		return store.Key{}
	}
	return store.AddrKey(a)
}

// maxKeyText is the longest text that is looked up here; what stores do with
// longer ones is theirs to say.
const maxKeyText = 4096

func textKey(s string) store.Key {
	if len(s) > maxKeyText {
		return store.Key{}
	}
	return store.StringKey(s)
}
