package lua

import (
	"fmt"
	"strings"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine/match"
)

// matchReader turns a match table into a [match.Node]. It knows what the table
// says, and match what its fields are.
type matchReader struct {
	f     *fields
	key   string
	nodes int
}

// groups are the words of a match table that hold lists of match tables.
var groups = []string{"any", "none"}

// fields reads a table of fields.
func (m *matchReader) fields(v glua.LValue, node *ast.TableExpr, line int, path string, depth int) (match.Node, bool) {
	n := match.Node{Line: line}
	t, ok := v.(*glua.LTable)
	if !ok {
		return n, m.wrong(line, path, fmt.Sprintf("a table of fields expected, got %s", describe(v)), "as in match = { client = { port = 80 } }")
	}
	if depth > match.MaxDepth {
		return n, m.wrong(line, path, fmt.Sprintf("tables nest at most %d deep", match.MaxDepth), "")
	}
	for k, v := t.Next(glua.LNil); k != glua.LNil; k, v = t.Next(k) {
		name, ok := k.(glua.LString)
		if !ok {
			return n, m.wrong(line, path, "every condition has the name of a field", "for alternatives write any = { {…}, {…} }")
		}
		field := fieldOf(node, string(name))
		at := lineOfField(field, line)
		if contains(groups, string(name)) {
			if !m.group(&n, string(name), v, tableOf(field), at, depth) {
				return n, false
			}
			continue
		}
		child, ok := m.condition(string(name), v, tableOf(field), at, depth)
		if !ok {
			return n, false
		}
		n.All = append(n.All, child)
	}
	if len(n.All) == 0 && n.Any == nil && n.None == nil {
		return n, m.wrong(line, path, "the table is empty", "leave it out, or test with is.present()")
	}
	return n, true
}

// condition reads what a field shall be.
func (m *matchReader) condition(name string, v glua.LValue, node *ast.TableExpr, line, depth int) (match.Node, bool) {
	n := match.Node{Line: line, Path: strings.Split(name, ".")}
	if m.nodes++; m.nodes > match.MaxNodes {
		return n, m.wrong(line, name, fmt.Sprintf("a match has at most %d conditions", match.MaxNodes), "put values into a store")
	}
	if t, ok := valueOf[*test](v); ok {
		n.Op, n.Values = t.op, t.values
		return n, true
	}
	if mv, ok := matchValue(v); ok {
		n.Op, n.Values = match.Eq, []match.Value{mv}
		return n, true
	}
	t, ok := v.(*glua.LTable)
	switch {
	case !ok && v.Type() == glua.LTFunction:
		return n, m.wrong(line, name, "a function decides in `when`, not here", "")
	case !ok:
		return n, m.wrong(line, name, fmt.Sprintf("a value, a list, a store or a test expected, got %s", describe(v)), "")
	case t.RawGetInt(1) != glua.LNil:
		return m.list(n, t, line, name)
	}
	sub, ok := m.fields(t, node, line, name, depth+1)
	sub.Path = n.Path
	return sub, ok
}

// list reads values any of which will do.
func (m *matchReader) list(n match.Node, t *glua.LTable, line int, name string) (match.Node, bool) {
	n.Op = match.Eq
	for k, v := t.Next(glua.LNil); k != glua.LNil; k, v = t.Next(k) {
		if k != glua.LNumber(len(n.Values)+1) {
			return n, m.wrong(line, name, "a list has no names and no holes", "")
		}
		mv, ok := matchValue(v)
		if !ok {
			return n, m.wrong(line, name, fmt.Sprintf("a list holds text, numbers, true, false and stores, not %s", describe(v)),
				"alternatives of several fields are written any = { {…}, {…} }")
		}
		n.Values = append(n.Values, mv)
	}
	return n, true
}

// group reads any = { {…}, {…} } and none = { {…}, {…} }.
func (m *matchReader) group(n *match.Node, word string, v glua.LValue, node *ast.TableExpr, line, depth int) bool {
	t, ok := v.(*glua.LTable)
	if !ok || t.RawGetInt(1) == glua.LNil {
		return m.wrong(line, word, fmt.Sprintf("%s is a list of tables", word), fmt.Sprintf("as in %s = { { port = 80 }, { port = 443 } }", word))
	}
	var list []match.Node
	for k, v := t.Next(glua.LNil); k != glua.LNil; k, v = t.Next(k) {
		if k != glua.LNumber(len(list)+1) {
			return m.wrong(line, word, word+" is a list, without names", "")
		}
		element := elementOf(node, len(list)+1)
		sub, ok := m.fields(v, tableOf(element), lineOfField(element, line), word, depth+1)
		if !ok {
			return false
		}
		list = append(list, sub)
	}
	if word == "any" {
		n.Any = list
	} else {
		n.None = list
	}
	return true
}

// wrong reports a mistake and returns false.
func (m *matchReader) wrong(line int, word, msg, hint string) bool {
	text := m.f.title + ": " + m.key + ": "
	if word != m.key {
		text += word + ": "
	}
	m.f.d.report(remark{msg: text + msg, hint: hint, word: last(word), line: line})
	return false
}
