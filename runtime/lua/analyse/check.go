package analyse

import (
	"fmt"
	"sort"
	"strings"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/runtime/lua/source"
	"github.com/hookd/hookd/runtime/lua/syntax"
)

// Check reports the names in a script that mean nothing. globals are those that
// scripts have beside the families and functions of the catalogue: the library
// and the declaring words.
func Check(chunk *source.Chunk, cat *catalogue.Catalogue, globals []string) diag.List {
	c := check(chunk, cat, globals)
	c.early(globals)
	c.unconsumed()
	c.neverInPath()
	c.untestedRequest()
	c.diags.Sort()
	return c.diags
}

// Handler is a function that stands in a declaration and is called with what the
// events pass that the declaration is on.
type Handler struct {
	Word, Name string // rule "x"
	Key        string // "when", "run"
	Field      *ast.Field
	Func       *ast.FunctionExpr
	Infos      []*event.Info
}

// Look returns the handlers of a script whose events are known from the script
// alone, and what it may read. globals are as for [Check].
func Look(chunk *source.Chunk, cat *catalogue.Catalogue, globals []string) ([]Handler, *engine.Reads) {
	c := check(chunk, cat, globals)
	c.reads.Escapes = c.reads.Escapes || c.reads.loose > 0
	return c.handlers, c.reads.Reads
}

func check(chunk *source.Chunk, cat *catalogue.Catalogue, globals []string) *checker {
	c := &checker{
		chunk: chunk, cat: cat,
		globals: map[string]typ{}, assigned: map[string]bool{},
		events: map[string]*event.Info{}, said: map[string]bool{},
		reads: reads{Reads: &engine.Reads{}},
	}
	for _, g := range globals {
		c.globals[g] = typ{}
	}
	c.declareCatalogue()
	c.findAssigned(chunk.Stmts)
	c.block(chunk.Stmts, &env{})
	return c
}

// checker walks one script.
type checker struct {
	chunk   *source.Chunk
	cat     *catalogue.Catalogue
	globals map[string]typ
	// assigned holds every name that is assigned after its declaration
	// somewhere in the script: such a local is not followed.
	assigned map[string]bool
	// events are the script's own user-defined events, by name.
	events map[string]*event.Info
	said   map[string]bool // what was reported, once a line
	diags  diag.List
	// handlers are the functions of declarations whose events are known.
	handlers []Handler
	reads    reads
	// matchTables is what [checker.matches] found, nil before it was asked.
	matchTables map[string]*ast.TableExpr
}

// env is a scope of locals.
type env struct {
	up    *env
	names map[string]typ
	// infos are the events that the enclosing handler is bound to; nil where
	// unknown or outside handlers.
	infos []*event.Info
	// role is what the function is that the scope belongs to.
	role role
}

// role says what may be done in a function.
type role uint8

const (
	plain   role = iota // any function
	filter              // a when, or a function inside one: it only looks
	handler             // a run: what it returns is decided
)

func (e *env) child() *env { return &env{up: e, infos: e.infos, role: e.role} }

func (e *env) declare(name string, t typ) {
	if e.names == nil {
		e.names = map[string]typ{}
	}
	e.names[name] = t
}

func (e *env) find(name string) (typ, bool) {
	for ; e != nil; e = e.up {
		if t, ok := e.names[name]; ok {
			return t, true
		}
	}
	return typ{}, false
}

// declareCatalogue makes families, dotted functions and bare functions known.
func (c *checker) declareCatalogue() {
	for _, f := range c.cat.Families() {
		c.globals[f.Name] = typ{family: f}
	}
	for _, f := range c.cat.Families() {
		for _, fn := range f.Functions {
			c.declareName(fn.Name)
		}
		for _, v := range f.Values {
			c.declareName(v.Name)
		}
	}
}

// declareName makes a function or value known: log.info, alert, json.null.
func (c *checker) declareName(name string) {
	head, rest, dotted := strings.Cut(name, ".")
	switch {
	case !dotted:
		c.globals[head] = typ{}
	case c.globals[head].family == nil:
		t := c.globals[head]
		if t.tree == nil {
			t.tree = &tree{name: head}
		}
		t.tree.members = append(t.tree.members, rest)
		c.globals[head] = t
	}
}

// report says once per line and message what is wrong with the word.
func (c *checker) report(line int, word, hint, format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	key := fmt.Sprint(line, msg)
	if c.said[key] {
		return
	}
	c.said[key] = true
	d := &diag.Diagnostic{File: c.chunk.Name, Line: line, Msg: msg, Hint: hint, Width: len(word)}
	d.Col, d.Source = diag.Locate(c.chunk.Src, line, word)
	c.diags = append(c.diags, d)
}

// didYouMean is the hint for a name that is not among names.
func didYouMean(name string, names []string) string {
	if near := diag.Nearest(name, names); near != "" {
		return "did you mean " + near + "?"
	}
	return ""
}

// unknownGlobal reports a global that nothing declares.
func (c *checker) unknownGlobal(line int, name string) {
	names := make([]string, 0, len(c.globals))
	for g := range c.globals {
		names = append(names, g)
	}
	sort.Strings(names)
	hint := absent[name]
	if hint == "" {
		hint = didYouMean(name, names)
	}
	c.report(line, name, hint, "unknown name %s", name)
}

// attribute checks owner.name and returns what it is.
func (c *checker) attribute(owner typ, name string, line int) typ {
	m := c.member(owner, name)
	if !m.known {
		c.report(line, name, hintFor(owner, &m, name), "%s has no %s %s", m.owner, m.what, name)
	}
	return m.typ
}

// findAssigned collects globals that the script sets and locals that it assigns
// again, wherever they are.
func (c *checker) findAssigned(stmts []ast.Stmt) {
	syntax.Stmts(stmts, func(s ast.Stmt) {
		for _, name := range syntax.Assigned(s) {
			c.assign(name)
		}
	})
}

func (c *checker) assign(name string) {
	c.assigned[name] = true
	if _, known := c.globals[name]; !known {
		c.globals[name] = typ{}
	}
}
