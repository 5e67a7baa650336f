package lua

import (
	"cmp"
	"fmt"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine/store"
)

var storeKeys = []string{"kind", "key", "ttl", "max", "max_bytes", "evict", "file", "persist"}

// declareStore is `store "name" { … }`, which is the store.
func (in *instance) declareStore(L *glua.LState) int {
	if st := in.lookedAt(L.Get(1)); st != nil {
		L.Push(in.storeOf(st))
		return 1
	}
	d, line := in.declaring(L, "store")
	name := in.declaredName(L, "store", 1)
	p := &pending{word: "store", name: name, line: line}
	d.open = append(d.open, p)
	L.Push(L.NewFunction(func(L *glua.LState) int {
		d, line := in.declaring(L, "store")
		t := in.declaredTable(L, "store", 1)
		d.complete(p)
		L.Push(in.storeOf(d.store(d.fields("store", name, line, t, storeKeys), L)))
		return 1
	}))
	return 1
}

// lookedAt returns the live store that somebody names at a console; nil elsewhere,
// and where there is none.
func (in *instance) lookedAt(name glua.LValue) *store.Store {
	if in.running == nil || in.running.eval == nil {
		return nil
	}
	find := in.running.eval.desk.conf.Store
	if s, ok := name.(glua.LString); ok && find != nil {
		return find(string(s))
	}
	return nil
}

// store declares a store and returns it. One that cannot be declared is replaced
// by an empty one that is nobody's, so that the script goes on and tells what
// else is wrong.
func (d *declarer) store(f *fields, L *glua.LState) *store.Store {
	limits := &d.in.prog.rt.cfg.Limits
	c := store.Config{
		Name: f.name, TTL: f.duration("ttl"),
		Max:      cmp.Or(int(f.integer("max", 1, store.MostMax)), limits.StoreEntries),
		MaxBytes: cmp.Or(f.size("max_bytes"), limits.StoreBytes),
		File:     f.str("file"), Persist: f.boolean("persist", false),
	}
	c.Kind = parsed(f, "kind", []string{"set", "map", "counter"}, store.ParseKind)
	c.Key = parsed(f, "key", []string{"any", "string", "number", "ip", "cidr", "endpoint"}, store.ParseKeyType)
	c.Evict = parsed(f, "evict", []string{"refuse", "oldest"}, store.ParseEvict)
	if d.again {
		if st := d.in.stores[f.name]; st != nil {
			return st
		}
	}
	if c.File != "" {
		file, err := d.in.readData(d.in.prog.path, c.File)
		if err != nil {
			f.report("file", "file: "+err.Error(), "")
			return d.stray(c)
		}
		c.File = file.Path
	}
	if !f.has("kind") {
		f.missing("kind", `as in kind = "set"; there are set, map and counter`)
	}
	st, err := d.in.env.Stores.Declare(c, d.in.prog.path)
	if err != nil {
		d.report(remark{msg: err.Error(), word: "store", line: f.line})
		return d.stray(c)
	}
	d.in.stores[f.name], d.stores = st, true
	return st
}

// stray makes a store outside of the generation.
func (d *declarer) stray(c store.Config) *store.Store {
	st, err := store.NewRegistry(d.in.env.Shard, 0).Stage().Declare(store.Config{Name: "stray", Kind: c.Kind, Key: c.Key}, d.in.prog.path)
	if err != nil {
		panic(fmt.Sprintf("lua: declare a store without limits: %v", err))
	}
	return st
}

// parsed reads a word by the parser of its type.
func parsed[T any](f *fields, key string, words []string, parse func(string) (T, error)) (v T) {
	s := f.oneOf(key, words...)
	if s == "" {
		return v
	}
	v, err := parse(s)
	if err != nil {
		f.report(key, key+": "+err.Error(), "")
	}
	return v
}
