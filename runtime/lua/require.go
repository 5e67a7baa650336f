package lua

import (
	"fmt"
	"strings"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/runtime/lua/access"
	"github.com/hookd/hookd/runtime/lua/analyse"
	"github.com/hookd/hookd/runtime/lua/source"
)

// maxRequireDepth is how deep modules require one another while they load. Each
// level takes Go stack.
const maxRequireDepth = 50

// modules are those of one machine.
type modules struct {
	values map[*engine.Module]glua.LValue
	files  map[string]*file // those that were loaded, or began to, by path
	// running are the modules whose top level runs, the innermost last.
	running []*engine.Module
}

// CompileModule implements [engine.Runtime].
func (rt *Runtime) CompileModule(src engine.Source) (any, diag.List) {
	f := &file{path: src.Path, text: src.Text}
	diags := rt.compile(f, func(chunk *source.Chunk) {
		_, f.reads = analyse.Look(chunk, rt.cfg.Catalogue, rt.globals)
		f.survey = access.Survey(chunk.Stmts)
		f.tame = f.survey.Tame(rt.globals)
	})
	if f.proto == nil {
		return nil, diags
	}
	return f, diags
}

// require is require "name": it runs the module once in each machine and returns
// what that returned.
func (in *instance) require(L *glua.LState) int {
	name := in.moduleName(L)
	from := in.requirer()
	mod := in.env.Modules.Find(from, name)
	if in.decl != nil {
		in.decl.plan.Requires = append(in.decl.plan.Requires, engine.Require{From: from, Name: name, Module: mod})
	}
	if mod == nil {
		in.noModule(L, from, name)
	}
	if v, ok := in.required.values[mod]; ok {
		L.Push(v)
		return 1
	}
	if in.mode != loading {
		in.raise(L, remark{msg: fmt.Sprintf("require %q in a handler: it was not loaded before", name), hint: "require it at the top level", word: "require"})
	}
	in.checkCycle(L, mod)
	L.Push(in.runModule(L, mod))
	return 1
}

// moduleName reads the name; a slash is as good as a dot.
func (in *instance) moduleName(L *glua.LState) string {
	s, ok := L.Get(1).(glua.LString)
	if !ok {
		in.raise(L, remark{msg: fmt.Sprintf("require takes a name, not %s", describe(L.Get(1))), hint: `as in require "net"`, word: "require"})
	}
	name := strings.ReplaceAll(string(s), "/", ".")
	if name == "" || len(name) > maxName || strings.Contains(name, "..") || name[0] == '.' || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == '\\' }) {
		in.raise(L, remark{
			msg:  "require: a name is words with dots between, not a path",
			hint: fmt.Sprintf(`as in require "net.http" for %s/net/http.lua`, engine.ModuleFolder), word: "require",
		})
	}
	return name
}

// requirer is the file that asks: the module that is loading, else the script.
func (in *instance) requirer() string {
	if n := len(in.required.running); n > 0 {
		return in.required.running[n-1].Path
	}
	return in.prog.path
}

// noModule raises that there is no such module.
func (in *instance) noModule(L *glua.LState, from, name string) {
	hint := nearest(name, in.env.Modules.Names(from))
	if hint == "" {
		hint = fmt.Sprintf("modules are Lua files in a folder %s beside the script or above it", engine.ModuleFolder)
	}
	in.raise(L, remark{msg: fmt.Sprintf("there is no module %q", name), hint: hint, word: "require"})
}

// checkCycle raises where a module is needed to load itself.
func (in *instance) checkCycle(L *glua.LState, mod *engine.Module) {
	running := in.required.running
	for i, m := range running {
		if m != mod {
			continue
		}
		var path []string
		for _, m := range append(running[i:len(running):len(running)], mod) {
			path = append(path, m.Path)
		}
		in.raise(L, remark{
			msg:  "modules require each other: " + strings.Join(path, " -> "),
			hint: "move what both need into a third one", word: "require",
		})
	}
	if len(running) == maxRequireDepth {
		in.raise(L, remark{msg: fmt.Sprintf("modules require one another at most %d deep", maxRequireDepth), word: "require"})
	}
}

// runModule runs a module's top level under the budget of the script's.
func (in *instance) runModule(L *glua.LState, mod *engine.Module) glua.LValue {
	f, ok := mod.Compiled().(*file)
	if !ok {
		L.RaiseError("module %q is not compiled", mod.Module)
	}
	in.vm.AddChunk(f.path)
	r := &in.required
	if r.files == nil {
		r.files, r.values = map[string]*file{}, map[*engine.Module]glua.LValue{}
	}
	r.files[f.path] = f
	r.running = append(r.running, mod)
	depth := len(r.running)
	defer func() { r.running = r.running[:depth-1] }()
	L.Push(L.NewFunctionFromProto(f.proto))
	L.Push(glua.LString(mod.Module))
	L.Call(1, 1)
	v := L.Get(-1)
	L.Pop(1)
	if v == glua.LNil {
		v = glua.LTrue
	}
	r.values[mod] = v
	return v
}

// moduleAt returns the module of a path that was loaded, or began to; nil for
// the script.
func (in *instance) moduleAt(path string) *file { return in.required.files[path] }

// explain words an error of the machine from the source that it is in.
func (in *instance) explain(chunk string, line int, msg string) string {
	if m := in.moduleAt(chunk); m != nil {
		return m.explain(line, msg)
	}
	return in.prog.explain(line, msg)
}
