package engine

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"path"
	"slices"
	"strings"

	"github.com/hookd/hookd/engine/diag"
)

// ModuleFolder is the folder whose files are modules: LIB/net/http.lua is
// required as "net.http" by the scripts beside LIB and below.
const ModuleFolder = "lib"

// Module is a source that scripts require. It is immutable once staged, and the
// same over generations as long as its text is.
type Module struct {
	Source
	hash     [sha256.Size]byte
	compiled any
}

// Compiled returns what the runtime made of it.
func (m *Module) Compiled() any { return m.compiled }

// Modules are those of a generation. A nil *Modules has none.
type Modules struct {
	byName map[moduleKey]*Module
	list   []*Module // by path
}

type moduleKey struct{ base, name string }

// Require is one look for a module, found or not: what a script depends on.
type Require struct {
	From, Name string
	Module     *Module // nil: there was none
}

// newModules takes modules over from the generation before where they are
// unchanged.
func newModules(sources []Source, old *Modules) (*Modules, diag.List) {
	m := &Modules{byName: map[moduleKey]*Module{}}
	var diags diag.List
	for _, src := range sources {
		key := moduleKey{path.Clean(src.Base), src.Module}
		if other := m.byName[key]; other != nil {
			diags = append(diags, &diag.Diagnostic{File: src.Path, Msg: fmt.Sprintf("module %q is %s too", src.Module, other.Path), Hint: "rename one of them"})
			continue
		}
		mod := &Module{Source: src, hash: sha256.Sum256(src.Text)}
		if was := old.at(key); was != nil && was.hash == mod.hash && was.Path == src.Path {
			mod = was
		}
		m.byName[key] = mod
		m.list = append(m.list, mod)
	}
	return m, diags
}

func (m *Modules) at(key moduleKey) *Module {
	if m == nil {
		return nil
	}
	return m.byName[key]
}

// bases calls yield for the folders that a file may require from, the nearest
// first, until it returns false.
func bases(from string, yield func(base string) bool) {
	for dir := path.Dir(from); yield(dir); dir = path.Dir(dir) {
		// Above "." and ".." stand folders that the path does not name.
		if path.Dir(dir) == dir || path.Base(dir) == ".." {
			return
		}
	}
}

// Find returns the module of that name that a file requires: of the folder lib
// beside it, else beside the folder above, and so on. It is nil if there is none.
func (m *Modules) Find(from, name string) (found *Module) {
	bases(from, func(base string) bool {
		found = m.at(moduleKey{base, name})
		return found == nil
	})
	if found == nil {
		found = m.at(moduleKey{path.Clean(shippedBase), name})
	}
	return found
}

// Names lists what a file can require, sorted.
func (m *Modules) Names(from string) []string {
	if m == nil {
		return nil
	}
	var near []string
	bases(from, func(base string) bool {
		near = append(near, base)
		return true
	})
	near = append(near, path.Clean(shippedBase))
	var names []string
	for key := range m.byName {
		if slices.Contains(near, key.base) && !slices.Contains(names, key.name) {
			names = append(names, key.name)
		}
	}
	slices.Sort(names)
	return names
}

// changed reports whether looking again would find something else.
func (m *Modules) changed(looks []Require) bool {
	return slices.ContainsFunc(looks, func(r Require) bool { return m.Find(r.From, r.Name) != r.Module })
}

// addTo makes the modules part of a generation's hash.
func (m *Modules) addTo(h hash.Hash) {
	for _, mod := range m.list {
		h.Write([]byte(mod.Path))
		h.Write(mod.hash[:])
	}
}

// compile compiles those that are new.
func (m *Modules) compile(rt Runtime) diag.List {
	var diags diag.List
	for _, mod := range m.list {
		if mod.compiled != nil {
			continue
		}
		compiled, list := rt.CompileModule(mod.Source)
		diags = append(diags, list...)
		mod.compiled = compiled
	}
	return diags
}

// shippedBase stands for the folder of shipped modules. No path is so.
const shippedBase = "(shipped)/\x00"

// shippedFor returns those of the shipped modules whose name stands in any source or in another one
// of them: it errs on the side of having them.
func shippedFor(sources, shipped []Source) []Source {
	var list []Source
	taken := make([]bool, len(shipped))
	for again := true; again; {
		again = false
		for i, src := range shipped {
			named := func(s Source) bool { return bytes.Contains(s.Text, []byte(src.Module)) }
			if taken[i] || !slices.ContainsFunc(sources, named) && !slices.ContainsFunc(list, named) {
				continue
			}
			taken[i], again = true, true
			src.Base = shippedBase
			list = append(list, src)
		}
	}
	return list
}

// split tells scripts from modules.
func split(sources []Source) (scripts, modules []Source) {
	sorted := slices.Clone(sources)
	slices.SortStableFunc(sorted, func(a, b Source) int { return strings.Compare(a.Path, b.Path) })
	for _, src := range sorted {
		if src.Module != "" {
			modules = append(modules, src)
		} else {
			scripts = append(scripts, src)
		}
	}
	return scripts, modules
}
