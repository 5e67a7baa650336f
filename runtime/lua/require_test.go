package lua

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
)

// tree is the text of files by path.
type tree map[string]string

// with returns the tree with some files changed; an empty text takes one out.
func (t tree) with(changes tree) tree {
	n := tree{}
	for name, text := range t {
		n[name] = text
	}
	for name, text := range changes {
		if n[name] = text; text == "" {
			delete(n, name)
		}
	}
	return n
}

// sources names modules as a scan of the current directory does.
func (t tree) sources() []engine.Source {
	var list []engine.Source
	for name, text := range t {
		src := engine.Source{Path: name, Text: []byte(text)}
		if before, after, ok := strings.Cut("./"+name, "/lib/"); ok {
			src.Base = path.Clean(before)
			src.Module = strings.ReplaceAll(strings.TrimSuffix(after, ".lua"), "/", ".")
		}
		list = append(list, src)
	}
	return list
}

func (h *house) apply(t tree) (*engine.Generation, diag.List) { return h.Apply(t.sources()) }

// upTree publishes a tree that has to load, and raises hookd.start.
func upTree(t *testing.T, files tree) *house {
	t.Helper()
	h := newHouse(t, engine.Limits{})
	if _, diags := h.apply(files); len(diags) > 0 {
		t.Fatal(rendered(diags))
	}
	h.Start(1000e9)
	return h
}

func TestRequire(t *testing.T) {
	t.Parallel()
	h := upTree(t, tree{
		"a.lua": `
local net = require "net"
local again = require "net"
local http = require "net/http"
rule "a" { on = flow.conn_start, run = function(c)
  print("a", net == again, net.count(), http.net == net, http.name, require("net") == net)
end }`,
		"b.lua": `
local net = require "net"
rule "b" { on = flow.conn_start, run = function(c) print("b", net.count(), require "quiet") end }
require "quiet"`,
		"lib/net.lua":      `local n = 0 local M = {} function M.count() n = n + 1 return n end return M`,
		"lib/net/http.lua": `return { net = require "net", name = ... }`,
		"lib/quiet.lua":    `local x = 1`,
		"sub/c.lua": `
local net = require "net"
rule "c" { on = flow.conn_start, run = function() print("c", net.here, require("far")) end }
local far = require "far"`,
		"sub/lib/net.lua": `return { here = "sub" }`,
		"lib/far.lua":     `return require("net").count()`,
	})
	h.start(newConn(17))
	h.start(newConn(18))
	want := `a	true	1	true	net.http	true
b	1	true
c	sub	1
a	true	2	true	net.http	true
b	2	true
c	sub	1
`
	if diff := cmp.Diff(want, h.take()); diff != "" {
		t.Error(diff)
	}
}

// TestRequireErrors checks what is said, and at which line of which file.
func TestRequireErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		files tree
		want  string
	}{
		{"missing", tree{"a.lua": `local x = 1
local n = require "nett"`, "lib/net.lua": "return 1"}, "a.lua:2:11: error: there is no module \"nett\"\n  local n = require \"nett\"\n            ^~~~~~~\n  hint: did you mean net?\n"},
		{"beside nobody", tree{"a.lua": `require "net"`, "sub/lib/net.lua": "return 1"}, "there is no module"},
		{"cycle", tree{
			"a.lua":     `require "x"`,
			"lib/x.lua": "local y = require 'y'", "lib/y.lua": "\nlocal z = require 'z'", "lib/z.lua": "\n\nlocal x = require 'y'",
		}, "lib/z.lua:3:11: error: modules require each other: lib/y.lua -> lib/z.lua -> lib/y.lua"},
		{"itself", tree{"a.lua": `require "x"`, "lib/x.lua": "require 'x'"}, "lib/x.lua:1:1: error: modules require each other: lib/x.lua -> lib/x.lua"},
		{"declaration", tree{"a.lua": `require "x"`, "lib/x.lua": "\nrule 'r' { on = flow.rexmit, run = function() end }"}, "lib/x.lua:2:1: error: rule in module \"x\": a module holds functions and data"},
		{"store", tree{"a.lua": `require "x"`, "lib/x.lua": "local s = store 's' { kind = 'set' }"}, "lib/x.lua:1:11: error: store in module \"x\""},
		{"state", tree{"a.lua": `require "x"`, "lib/x.lua": "state { n = 1 }"}, "lib/x.lua:1:1: error: state in module \"x\""},
		{"effect", tree{"a.lua": `require "x"`, "lib/x.lua": "alert 'x'"}, "lib/x.lua:1:1: error: alert: not while loading"},
		{"error while loading", tree{"a.lua": `require "x"`, "lib/x.lua": "local t = nil\nlocal v = t.field"}, "lib/x.lua:2: error: attempt to index local 't' (a nil value)"},
		{"error in a function", tree{"a.lua": `require("x").f()`, "lib/x.lua": "return { f = function()\nerror 'no' end }"}, "lib/x.lua:2: error: no"},
		{"syntax, unused", tree{"a.lua": ``, "lib/x.lua": "local = 1"}, "lib/x.lua:1:7: error:"},
		{"names, unused", tree{"a.lua": ``, "lib/x.lua": "return flwo"}, "lib/x.lua:1:8: error: unknown name flwo"},
		{"endless", tree{"a.lua": `require "x"`, "lib/x.lua": "while true do end"}, "lib/x.lua:1: error: the top level"},
		{"path", tree{"a.lua": `require "../x"`}, "a.lua:1:1: error: require: a name is words with dots between, not a path"},
		{"no name", tree{"a.lua": `require {}`}, "require takes a name, not a table"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, engine.Limits{LoadInstructions: 100_000})
			_, diags := h.apply(tt.files)
			if got := rendered(diags); !strings.HasPrefix(got, tt.want) && !strings.Contains(strings.SplitN(got, "\n", 2)[0], tt.want) {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestTooManyModulesInARow(t *testing.T) {
	t.Parallel()
	files := tree{"a.lua": `require "m0"`, "lib/m60.lua": "return 1"}
	for i := range 60 {
		files[fmt.Sprintf("lib/m%d.lua", i)] = fmt.Sprintf("return require 'm%d'", i+1)
	}
	h := newHouse(t, engine.Limits{})
	if _, diags := h.apply(files); !strings.Contains(rendered(diags), "at most 50 deep") {
		t.Error(rendered(diags))
	}
}

// TestErrorsInModules checks that a failing handler names the module's line, and
// that the traceback spans both files.
func TestErrorsInModules(t *testing.T) {
	t.Parallel()
	h := newHouse(t, engine.Limits{})
	var errs []*engine.ErrorRecord
	e := engine.New(engine.Config{Catalogue: h.Catalogue(), Sink: errorSink{list: &errs}})
	e.Use(New(Config{Catalogue: h.Catalogue(), Functions: e.Functions(), Limits: e.Limits()}))
	defer e.Close()
	h.Engine = e
	if _, diags := h.apply(tree{
		"a.lua": `local net = require "net"
rule "a" { on = flow.conn_start, run = function(c)
  net.check(c)
  local x = 1
end }
rule "b" { on = hookd.script_error, run = function() print(this.script, this.file, this.line) end }`,
		"lib/net.lua": `local M = {}
local function deep(c) local v = c.client.nothing return v end
function M.check(c)
  deep(c)
  return 1
end
return M`,
	}); len(diags) > 0 {
		t.Fatal(rendered(diags))
	}
	e.Start(1000e9)
	h.start(newConn(17))
	if len(errs) != 1 {
		t.Fatalf("%d errors", len(errs))
	}
	err := errs[0].Err
	if got, want := err.Error(), "lib/net.lua:2: flow.peer has no field or method nothing"; !strings.HasPrefix(got, want) {
		t.Errorf("%s\nwant %s", got, want)
	}
	if want := "lib/net.lua:2: in function 'deep'\nlib/net.lua:4: in function 'check'\na.lua:3: in function <a.lua:2>"; err.Traceback != want {
		t.Errorf("traceback\n%s\nwant\n%s", err.Traceback, want)
	}
}

// errorSink keeps the errors and drops the rest.
type errorSink struct {
	engine.Discard
	list *[]*engine.ErrorRecord
}

// ScriptError implements [engine.Sink].
func (s errorSink) ScriptError(r *engine.ErrorRecord) { *s.list = append(*s.list, r) }

// TestModuleReload checks that a change reaches exactly the scripts that require
// it, directly or not, and that others keep what they have.
func TestModuleReload(t *testing.T) {
	t.Parallel()
	count := func(name, mod string) string {
		return `local m = ` + mod + ` local n = 0 rule "r" { on = flow.conn_start, run = function() n = n + 1 print("` + name + `", n, m) end }`
	}
	files := tree{
		"a.lua": count("a", `require "x"`), "b.lua": count("b", `require "y"`), "c.lua": count("c", "0"),
		"d.lua":     count("d", `pcall(require, "z")`),
		"lib/x.lua": `return require("y") + 1`, "lib/y.lua": `return 1`, "lib/unused.lua": `return 1`,
		"sub/e.lua": count("e", `require "y"`),
	}
	h := upTree(t, files)
	h.start(newConn(17))
	for _, step := range []struct {
		name    string
		change  tree
		changed []string
		want    string
	}{
		{"nothing", tree{}, nil, "a\t2\t2\nb\t2\t1\nc\t2\t0\nd\t2\tfalse\ne\t2\t1\n"},
		{"one that two need", tree{"lib/y.lua": "return 10"}, []string{"a.lua", "b.lua", "sub/e.lua"}, "a\t1\t11\nb\t1\t10\nc\t3\t0\nd\t3\tfalse\ne\t1\t10\n"},
		{"one that one needs", tree{"lib/x.lua": "return 5"}, []string{"a.lua"}, "a\t1\t5\nb\t2\t10\nc\t4\t0\nd\t4\tfalse\ne\t2\t10\n"},
		{"one that nobody needs", tree{"lib/unused.lua": "return 2"}, nil, "a\t2\t5\nb\t3\t10\nc\t5\t0\nd\t5\tfalse\ne\t3\t10\n"},
		{"a nearer one", tree{"sub/lib/y.lua": "return 7"}, []string{"sub/e.lua"}, "a\t3\t5\nb\t4\t10\nc\t6\t0\nd\t6\tfalse\ne\t1\t7\n"},
		{"one that was missed", tree{"lib/z.lua": "return 9"}, []string{"d.lua"}, "a\t4\t5\nb\t5\t10\nc\t7\t0\nd\t1\ttrue\ne\t2\t7\n"},
	} {
		h.take()
		files = files.with(step.change)
		gen, diags := h.apply(files)
		if len(diags) > 0 {
			t.Fatalf("%s: %s", step.name, rendered(diags))
		}
		got := slices.Clone(gen.Changed)
		slices.Sort(got)
		if diff := cmp.Diff(step.changed, got); diff != "" {
			t.Errorf("%s: changed %s", step.name, diff)
		}
		h.start(newConn(18))
		if diff := cmp.Diff(step.want, h.take()); diff != "" {
			t.Errorf("%s: %s", step.name, diff)
		}
	}
	// One that is broken, or gone, leaves what is live.
	for _, change := range []tree{{"lib/y.lua": "return ="}, {"lib/y.lua": ""}, {"lib/y.lua": "error 'x'"}} {
		if _, diags := h.apply(files.with(change)); !diags.HasErrors() {
			t.Errorf("%v: taken", change)
		}
	}
	h.start(newConn(19))
	if got := h.take(); !strings.HasPrefix(got, "a\t5\t5\n") {
		t.Errorf("afterwards:\n%s", got)
	}
}

// TestRequireLate checks requiring from a handler: what is loaded is there, what
// is not is refused.
func TestRequireLate(t *testing.T) {
	t.Parallel()
	h := upTree(t, tree{
		"a.lua": `require "x"
rule "a" { on = flow.conn_start, run = function() print(require "x") end }
rule "b" { on = flow.conn_start, run = function() print(require "y") end }
rule "c" { on = flow.conn_start, run = function() print(pcall(require, "nope")) end }`,
		"lib/x.lua": "return 1", "lib/y.lua": "return 2",
	})
	h.start(newConn(17))
	want := "1\nerror a.lua:3: require \"y\" in a handler: it was not loaded before; require it at the top level\n"
	if got := h.take(); !strings.HasPrefix(got, want) || !strings.Contains(got, "false\ta.lua:4: there is no module \"nope\"") && !strings.Contains(got, "false\tthere is no module \"nope\"") {
		t.Errorf("got\n%s", got)
	}
}

// TestModulesRebuilt checks that a machine made anew has its modules again.
func TestModulesRebuilt(t *testing.T) {
	t.Parallel()
	h := upTree(t, tree{
		"a.lua": `local m = require "x"
rule "a" { on = flow.conn_start, priority = 1, run = function(c)
  m.n = m.n + 1
  print(m.n)
  if c.id == 18 then
    local t = setmetatable({}, { __index = function(_, k) coroutine.yield(k) end })
    coroutine.wrap(function() local v = t.x end)()
    coroutine.yield(1)
  end
end }`,
		"lib/x.lua": "return { n = 0 }",
	})
	for _, id := range []uint64{17, 17, 18, 17} {
		h.start(newConn(id))
	}
	got := h.take()
	if !strings.HasPrefix(got, "1\n2\n3\nerror ") || !strings.HasSuffix(got, "\n1\n") && !strings.HasSuffix(got, "\n4\n") {
		t.Errorf("got\n%s", got)
	}
}

// TestTwoModulesOfAName checks that the name must be one file's.
func TestTwoModulesOfAName(t *testing.T) {
	t.Parallel()
	h := newHouse(t, engine.Limits{})
	_, diags := h.Apply([]engine.Source{
		{Path: "a.lua"}, {Path: "lib/x.lua", Module: "x", Base: "."}, {Path: "lib/x/init.lua", Module: "x", Base: "."},
	})
	if got := rendered(diags); !strings.Contains(got, `lib/x/init.lua: error: module "x" is lib/x.lua too`) {
		t.Error(got)
	}
}

// TestRequireKeepsForms checks that a script which requires modules, or names a
// global by way of _G, has its handlers' native and hoisted forms, unless the globals
// may be others than they were.
func TestRequireKeepsForms(t *testing.T) {
	t.Parallel()
	const script = `rule "a" { on = flow.conn_start, run = function(c, pkt)
  if this.side ~= "client" then return end
  state.n = pkt.len + c.vlan
  print(m, pkt.ttl, state.n)
end }`
	for _, tt := range []struct {
		name, head, module, deeper string
		native, counted            bool
	}{
		{"nothing required", "local m = 1", "", "", true, false},
		{"a module", `local m = require "m"`, "local M = {} function M.f() return 1 end return 1", "", true, false},
		{"a module with globals of its own", `local m = require "m"`, "mine = 1 function yours() end return mine", "", true, false},
		{"a module of modules", `local m = require "m"`, `return (require("deeper"))`, "return 1", true, false},
		{"a module with metatables", `local m = require "m"`, `setmetatable({}, {}) return 1`, "", true, true},
		{"a global by _G", `local m = rawget(_G, "mine") or _G.tostring(1) _G.mine = 5`, "", "", true, false},
		{"a module that changes this", `local m = require "m"`, `this = { side = "client" } return 1`, "", false, false},
		{"a module that changes state", `local m = require "m"`, `_G.state = { n = 0 } return 1`, "", false, false},
		{"a module with the table of globals", `local m = require "m"`, `local g = _G return g and 1`, "", false, false},
		{"a module of one that changes this", `local m = require "m"`, `return (require("deeper"))`, `local function f() this = { side = "client" } end f() return 1`, false, false},
		{"require handed on", `local get = require local m = get "m"`, "return 1", "", false, false},
		{"a module by a name that is computed", `local m = require("m" .. "")`, "return 1", "", false, false},
		{"the table of globals", `local g = _G local m = g and 1`, "", "", false, false},
		{"require by _G", `local m = _G.require "m"`, "return 1", "", false, false},
		{"state by _G", `_G.state = { n = 0 } local m = 1`, "", "", true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, engine.Limits{})
			g, diags := h.apply(tree{}.with(tree{
				"a.lua": tt.head + "\n" + script, "lib/m.lua": tt.module, "lib/deeper.lua": tt.deeper,
			}))
			if diags.HasErrors() {
				t.Fatal(rendered(diags))
			}
			said := strings.Join(g.Explain(), "\n")
			native := strings.Contains(said, "arguments: this.side, pkt.ttl")
			if free := strings.Contains(said, "no instruction is counted"); free != (tt.native && !tt.counted) {
				t.Errorf("uncounted %t", free)
			}
			if native != tt.native || strings.Contains(said, "behind a native guard") != tt.native {
				t.Errorf("native %t, want %t:\n%s", native, tt.native, said)
			}
			h.Start(1000e9)
			h.take()
			h.start(newConn(1))
			if got, want := strings.TrimSpace(h.take()), "1\t64\t60"; got != want {
				t.Errorf("printed %q, want %q", got, want)
			}
		})
	}
}
