package lua

import (
	"fmt"
	"strings"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
)

// declarer collects what a top level declares. What is wrong with a declaration
// is reported and the script goes on, so that one run finds all of it.
type declarer struct {
	in    *instance
	plan  *engine.Plan
	diags diag.List
	// again: the script is being rebuilt, and what it declares is declared
	// already.
	again bool
	// open are declarations that got a name and wait for their table.
	open   []*pending
	script bool // there was a script { … }
	// serial tells the functions of one evaluation from those of the next; empty
	// while a script loads. stores: it declared some.
	serial   string
	stores   bool
	migrator *glua.LFunction
}

// pending is `rule "name"` before its table.
type pending struct {
	word, name string
	line       int
}

// word is a declaring word that takes a name and then a table.
type word struct {
	name    string
	keys    []string
	declare func(d *declarer, t *fields)
}

var words = []word{
	{"handler", handlerKeys, (*declarer).handler},
	{"timer", timerKeys, (*declarer).timer},
}

// openWords installs the declaring words.
func (in *instance) openWords() {
	L, g := in.vm.State(), in.vm.Globals()
	for _, w := range words {
		g.RawSetString(w.name, L.NewFunction(func(L *glua.LState) int { return in.named(L, w, 1) }))
	}
	g.RawSetString("script", L.NewFunction(in.declareScript))
	g.RawSetString("store", L.NewFunction(in.declareStore))
	g.RawSetString("after", L.NewFunction(in.startAfter))
	g.RawSetString("raise", L.NewFunction(in.raiseEvent))
	g.RawSetString("spawn", L.NewFunction(in.spawn))
	g.RawSetString("require", L.NewFunction(in.require))
	g.RawSetString("data", L.NewFunction(in.loadData))
	g.RawSetString("settings", L.NewFunction(in.settingsInScript))
	in.openEvent()
	in.openRule()
}

// declaring returns the collector of declarations and the running line; it
// raises in a handler.
func (in *instance) declaring(L *glua.LState, what string) (*declarer, int) {
	if n := len(in.required.running); n > 0 && in.mode == loading {
		in.raise(L, remark{msg: fmt.Sprintf("%s in module %q: a module holds functions and data", what, in.required.running[n-1].Module), hint: "declare it in a script", word: what})
	}
	if in.running != nil && in.running.eval != nil && in.decl == nil {
		in.raise(L, remark{msg: what + " inside of " + in.prog.path + ": what a script declares stands in its file", hint: "leave it with :in", word: what})
	}
	if in.decl == nil {
		in.raise(L, remark{msg: what + " in a handler: declare it at the top level", word: what})
	}
	return in.decl, in.line(L)
}

// named takes the name, argument i, and returns the function that takes the
// table.
func (in *instance) named(L *glua.LState, w word, i int) int {
	d, line := in.declaring(L, w.name)
	name := in.declaredName(L, w.name, i)
	p := &pending{word: w.name, name: name, line: line}
	d.open = append(d.open, p)
	L.Push(L.NewFunction(func(L *glua.LState) int {
		d, line := in.declaring(L, w.name)
		t := in.declaredTable(L, w.name, 1)
		d.complete(p)
		f := d.fields(w.name, name, line, t, w.keys)
		w.declare(d, f)
		if w.name != "rule" && w.name != "handler" {
			return 0
		}
		L.Push(value(&handle{w.name, name}, lazily(&in.meta.handle, in.handleMeta)))
		return 1
	}))
	return 1
}

// maxName is how long the name of a declaration may be, in bytes.
const maxName = 128

// declaredName returns argument i as a name.
func (in *instance) declaredName(L *glua.LState, what string, i int) string {
	s, ok := L.Get(i).(glua.LString)
	switch {
	case !ok:
		in.raise(L, remark{
			msg:  fmt.Sprintf("%s takes a name, not %s", what, describe(L.Get(i))),
			hint: fmt.Sprintf("as in %s \"name\" { … }", what), word: what,
		})
	case s == "" || len(s) > maxName || strings.ContainsFunc(string(s), func(r rune) bool { return r < ' ' || r == 0x7f }):
		in.raise(L, remark{msg: fmt.Sprintf("%s: a name has 1 to %d bytes and no control characters", what, maxName), word: what})
	}
	return string(s)
}

func (in *instance) declaredTable(L *glua.LState, what string, i int) *glua.LTable {
	t, ok := L.Get(i).(*glua.LTable)
	if !ok {
		in.raise(L, remark{
			msg:  fmt.Sprintf("%s takes a table, not %s", what, describe(L.Get(i))),
			hint: fmt.Sprintf("as in %s \"name\" { … }", what), word: what,
		})
	}
	return t
}

func (d *declarer) complete(p *pending) {
	for i := range d.open {
		if d.open[i] == p {
			d.open = append(d.open[:i], d.open[i+1:]...)
			return
		}
	}
}

// finish reports declarations that never got their table.
func (d *declarer) finish() {
	for _, p := range d.open {
		d.report(remark{
			msg:  fmt.Sprintf("%s %q declares nothing: its table is missing", p.word, p.name),
			hint: fmt.Sprintf("as in %s %q { … }", p.word, p.name), word: p.word, line: p.line,
		})
	}
}

// report adds an error.
func (d *declarer) report(r remark) { d.diags = append(d.diags, d.in.prog.diagnose(r)) }

// fields makes a reader of a declaration's table and reports the keys it should
// not have.
func (d *declarer) fields(word, name string, line int, t *glua.LTable, keys []string) *fields {
	title := word
	if name != "" {
		title = fmt.Sprintf("%s %q", word, name)
	}
	f := &fields{d: d, name: name, title: title, line: line, t: t, node: d.in.prog.outline.table(line, word, name)}
	f.check(keys)
	return f
}

// fields reads the table of a declaration. A value of the wrong type is reported
// at its line and reads as absent.
type fields struct {
	d     *declarer
	name  string // of what is declared
	title string // `rule "x"`
	line  int
	t     *glua.LTable
	node  *ast.TableExpr // the table as written, where it is
	// mistyped are the keys that were perhaps meant by unknown ones.
	mistyped []string
}

// check reports keys that are not among keys.
func (f *fields) check(keys []string) {
	for k, _ := f.t.Next(glua.LNil); k != glua.LNil; k, _ = f.t.Next(k) {
		key, ok := k.(glua.LString)
		if !ok {
			line := f.line
			if n, isNumber := k.(glua.LNumber); isNumber {
				line = lineOfField(elementOf(f.node, int(n)), line)
			}
			f.d.report(remark{
				msg:  fmt.Sprintf("%s: every entry has a name", f.title),
				hint: "as in name = value", line: line,
			})
			continue
		}
		if !contains(keys, string(key)) {
			f.mistyped = append(f.mistyped, diag.Nearest(string(key), keys))
			f.report(string(key), "unknown key "+string(key), meant(string(key), keys, f.title))
		}
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// at returns the line of a key.
func (f *fields) at(key string) int { return lineOfField(fieldOf(f.node, key), f.line) }

// report reports what is wrong with a key.
func (f *fields) report(key, msg, hint string) {
	f.d.report(remark{msg: f.title + ": " + msg, hint: hint, word: key, line: f.at(key)})
}

// wrong reports that a key's value has another type.
func (f *fields) wrong(key, want string) {
	f.report(key, fmt.Sprintf("%s: %s expected, got %s", key, want, describe(f.get(key))), "")
}

// missing reports that a key is needed, unless it is there with a typing mistake.
func (f *fields) missing(key, hint string) {
	if contains(f.mistyped, key) {
		return
	}
	f.d.report(remark{msg: fmt.Sprintf("%s: %s is missing", f.title, key), hint: hint, word: f.word(), line: f.line})
}

// word is what the caret points at where a declaration as a whole is meant.
func (f *fields) word() string {
	if w, _, ok := strings.Cut(f.title, " "); ok {
		return w
	}
	return f.title
}

func (f *fields) get(key string) glua.LValue { return f.t.RawGetString(key) }

func (f *fields) has(key string) bool { return f.get(key) != glua.LNil }
