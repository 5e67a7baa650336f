package lua

import (
	"fmt"
	"time"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine/record"
	"github.com/hookd/hookd/engine/store"
	"github.com/hookd/hookd/runtime/lua/analyse"
	"github.com/hookd/hookd/runtime/lua/vm"
)

// storeValue is what the userdata of a store holds.
type storeValue struct {
	in *instance
	st *store.Store
}

var _ vm.Walkable = (*storeValue)(nil)

// storeMethod is a method of stores of some kinds.
type storeMethod struct {
	name    string
	kinds   []store.Kind
	effects bool
	body    func(s *storeValue, L *glua.LState) int
}

var everyKind = []store.Kind{store.Set, store.Map, store.Counter}

// storeMethods lists the methods, in the order of messages.
func storeMethods() []storeMethod {
	return []storeMethod{
		{"add", []store.Kind{store.Set}, true, (*storeValue).add},
		{"put", []store.Kind{store.Map}, true, (*storeValue).put},
		{"incr", []store.Kind{store.Counter}, true, (*storeValue).incr},
		{"get", []store.Kind{store.Map, store.Counter}, false, (*storeValue).get},
		{"reset", []store.Kind{store.Counter}, true, (*storeValue).reset},
		{"delete", []store.Kind{store.Map}, true, (*storeValue).remove},
		{"remove", everyKind, true, (*storeValue).remove},
		{"has", everyKind, false, (*storeValue).has},
		{"size", everyKind, false, (*storeValue).size},
		{"clear", everyKind, true, (*storeValue).clear},
		{"each", everyKind, false, (*storeValue).each},
	}
}

// storeOf returns a store as scripts have it.
func (in *instance) storeOf(st *store.Store) *glua.LUserData {
	return value(&storeValue{in, st}, lazily(&in.meta.store, in.storeMeta))
}

// storeMeta makes the metatable of stores.
func (in *instance) storeMeta() *glua.LTable {
	L := in.vm.State()
	var methods [storeKinds]map[string]*glua.LFunction
	var names [storeKinds][]string
	for _, m := range storeMethods() {
		fn := L.NewFunction(func(L *glua.LState) int { return m.call(in, L) })
		for _, k := range m.kinds {
			if methods[k] == nil {
				methods[k] = map[string]*glua.LFunction{}
			}
			methods[k][m.name] = fn
			names[k] = append(names[k], m.name)
		}
	}
	mt := in.metatable("store",
		func(L *glua.LState) int {
			s, key := in.storeSelf(L, "a store"), keyOf(L)
			kind := s.st.Kind()
			fn := methods[kind][key]
			if fn == nil {
				owner := "a " + kind.String()
				in.raise(L, remark{
					msg:  fmt.Sprintf("store %q is %s and has no method %s", s.st.Name(), owner, key),
					hint: meant(key, names[kind], owner), word: key,
				})
			}
			L.Push(fn)
			return 1
		},
		func(L *glua.LState) int {
			s := in.storeSelf(L, "a store")
			in.raise(L, remark{msg: fmt.Sprintf("store %q is changed by its methods, not by assignment", s.st.Name()), word: keyOf(L)})
			return 0
		},
		func(L *glua.LState) int {
			L.Push(glua.LString("store " + in.storeSelf(L, "a store").st.Name()))
			return 1
		})
	mt.RawSetString("__len", L.NewFunction(func(L *glua.LState) int {
		L.Push(glua.LNumber(in.storeSelf(L, "a store").st.Size()))
		return 1
	}))
	return mt
}

// storeKinds is how many kinds of stores there are.
const storeKinds = int(store.Counter) + 1

func (in *instance) storeSelf(L *glua.LState, what string) *storeValue {
	s, ok := valueOf[*storeValue](L.Get(1))
	if !ok {
		L.RaiseError("%s expected, got %s", what, describe(L.Get(1)))
	}
	return s
}

// call checks the receiver and the effects, and runs the method.
func (m storeMethod) call(in *instance, L *glua.LState) int {
	s, ok := valueOf[*storeValue](L.Get(1))
	if !ok {
		L.RaiseError("'%s' is a method: call it with a colon, as in s:%s()", m.name, m.name)
	}
	if m.effects {
		in.Effect(L, m.name)
		if err := s.st.Writable(); err != nil {
			return result(L, err)
		}
	}
	return m.body(s, L)
}

// key reads argument 1 of a method; what does not fit is the method's result.
func (s *storeValue) key(L *glua.LState) (store.Key, error) {
	v, err := scalar(L.Get(2))
	if err != nil {
		err = fmt.Errorf("store %q: a key is text, a number, true or false, not %s", s.st.Name(), describe(L.Get(2)))
		if o, ok := valueOf[*object](L.Get(2)); ok {
			if hint := analyse.KeyHint(s.in.prog.rt.cfg.Catalogue, o.typ.Info, s.st.KeyType().String()); hint != "" {
				err = fmt.Errorf("%w: %s", err, hint)
			}
		}
		return store.Key{}, err
	}
	return s.st.Key(v)
}

// ttl reads a time to live; absent is the store's own.
func (s *storeValue) ttl(L *glua.LState, n int) (time.Duration, error) {
	v := L.Get(n)
	switch {
	case v == glua.LNil:
		return 0, nil
	case v == glua.LString("forever"):
		return store.Forever, nil
	}
	d, err := durationOf(v)
	if err == nil && d <= 0 {
		err = fmt.Errorf("a time to live is more than 0")
	}
	if err != nil {
		return 0, fmt.Errorf("store %q: ttl: %w", s.st.Name(), err)
	}
	return d, nil
}

// result is true, or nil and why not.
func result(L *glua.LState, err error) int {
	if err == nil {
		L.Push(glua.LTrue)
		return 1
	}
	L.Push(glua.LNil)
	L.Push(glua.LString(err.Error()))
	return 2
}

func (s *storeValue) add(L *glua.LState) int {
	k, err := s.key(L)
	if err != nil {
		return result(L, err)
	}
	ttl, err := s.ttl(L, 3)
	if err == nil {
		_, err = s.st.Add(k, ttl)
	}
	return result(L, err)
}

func (s *storeValue) put(L *glua.LState) int {
	k, err := s.key(L)
	if err != nil {
		return result(L, err)
	}
	name := fmt.Sprintf("store %q", s.st.Name())
	v, err := s.in.convert(name, L.Get(3), func(id any, fill func(*record.Builder) error) (record.Value, error) {
		return record.BuildFrozen(name, s.st.ValueLimits(), id, fill)
	})
	if err != nil {
		return result(L, err)
	}
	ttl, err := s.ttl(L, 4)
	if err == nil {
		err = s.st.Put(k, v, ttl)
	}
	return result(L, err)
}

func (s *storeValue) incr(L *glua.LState) int {
	k, err := s.key(L)
	if err != nil {
		return result(L, err)
	}
	n, ok := L.Get(3).(glua.LNumber)
	switch {
	case L.Get(3) == glua.LNil:
		n = 1
	case !ok:
		return result(L, fmt.Errorf("store %q: a number is added, not %s", s.st.Name(), describe(L.Get(3))))
	}
	ttl, err := s.ttl(L, 4)
	if err != nil {
		return result(L, err)
	}
	sum, err := s.st.Incr(k, float64(n), ttl)
	if err != nil {
		return result(L, err)
	}
	L.Push(glua.LNumber(sum))
	return 1
}

func (s *storeValue) reset(L *glua.LState) int {
	k, err := s.key(L)
	if err != nil {
		return result(L, err)
	}
	was, err := s.st.Reset(k)
	if err != nil {
		return result(L, err)
	}
	L.Push(glua.LNumber(was))
	return 1
}

func (s *storeValue) get(L *glua.LState) int {
	k, err := s.key(L)
	switch {
	case err != nil:
		return result(L, err)
	case s.st.Kind() == store.Counter:
		L.Push(glua.LNumber(s.st.Count(k)))
	default:
		L.Push(s.in.fromRecord(s.st.Get(k)))
	}
	return 1
}

func (s *storeValue) remove(L *glua.LState) int {
	k, err := s.key(L)
	if err != nil {
		return result(L, err)
	}
	L.Push(glua.LBool(s.st.Remove(k)))
	return 1
}

func (s *storeValue) has(L *glua.LState) int {
	k, err := s.key(L)
	if err != nil {
		return result(L, err)
	}
	L.Push(glua.LBool(s.st.Has(k)))
	return 1
}

func (s *storeValue) size(L *glua.LState) int {
	L.Push(glua.LNumber(s.st.Size()))
	return 1
}

func (s *storeValue) clear(L *glua.LState) int {
	L.Push(glua.LNumber(s.st.Clear()))
	return 1
}

func (s *storeValue) each(L *glua.LState) int {
	L.Push(s.Walk(L))
	return 1
}

// Walk implements [vm.Walkable]: keys with their values, in the order in which
// they were put in.
func (s *storeValue) Walk(L *glua.LState) *glua.LFunction {
	c := s.st.Walk()
	return L.NewFunction(func(L *glua.LState) int {
		item, ok := c.Next()
		if !ok {
			return 0
		}
		L.Push(s.in.fromRecord(item.Key.Value()))
		L.Push(s.in.fromRecord(item.Value))
		return 2
	})
}
