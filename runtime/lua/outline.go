package lua

import (
	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/runtime/lua/source"
	"github.com/hookd/hookd/runtime/lua/syntax"
)

// outline finds the tables that declarations are written with, so that what is
// wrong with a key is said at its line. It holds the calls of the top level's
// statements of the forms `word "name" { … }` and `word { … }`.
type outline struct {
	calls map[int][]outlineCall // by line
}

type outlineCall struct {
	word, name string // name: empty where it is no literal
	table      *ast.TableExpr
}

// outlineOf collects the declarations of a chunk, those in blocks, loops and
// functions too.
func outlineOf(chunk *source.Chunk) *outline {
	o := &outline{calls: map[int][]outlineCall{}}
	syntax.All(chunk.Stmts, func(ast.Stmt) {}, func(e ast.Expr) {
		call, ok := e.(*ast.FuncCallExpr)
		if !ok || len(call.Args) != 1 {
			return
		}
		table, ok := call.Args[0].(*ast.TableExpr)
		if !ok {
			return
		}
		switch fn := call.Func.(type) {
		case *ast.IdentExpr:
			o.add(call.Line(), outlineCall{word: fn.Value, table: table})
		case *ast.FuncCallExpr:
			word, ok := fn.Func.(*ast.IdentExpr)
			if !ok || len(fn.Args) != 1 {
				return
			}
			c := outlineCall{word: word.Value, table: table}
			if name, ok := fn.Args[0].(*ast.StringExpr); ok {
				c.name = name.Value
			}
			o.add(call.Line(), c)
		}
	})
	return o
}

func (o *outline) add(line int, c outlineCall) { o.calls[line] = append(o.calls[line], c) }

// table returns the table of a declaration that ran at a line; nil where it is
// not written out.
func (o *outline) table(line int, word, name string) *ast.TableExpr {
	if o == nil {
		return nil
	}
	var found *ast.TableExpr
	for _, c := range o.calls[line] {
		switch {
		case c.word != word:
		case c.name == name:
			return c.table
		case c.name == "":
			found = c.table
		}
	}
	return found
}

// fieldOf returns the entry of a table written out, by name; nil if there is
// none.
func fieldOf(t *ast.TableExpr, key string) *ast.Field {
	if t == nil {
		return nil
	}
	for _, f := range t.Fields {
		if k, ok := f.Key.(*ast.StringExpr); ok && k.Value == key {
			return f
		}
	}
	return nil
}

// elementOf returns element i of a table written out, from 1.
func elementOf(t *ast.TableExpr, i int) *ast.Field {
	if t == nil {
		return nil
	}
	for _, f := range t.Fields {
		if f.Key != nil {
			continue
		}
		if i--; i == 0 {
			return f
		}
	}
	return nil
}

// lineOfField returns the line of an entry, or that of what it stands in.
func lineOfField(f *ast.Field, line int) int {
	switch {
	case f == nil:
	case f.Key != nil && f.Key.Line() > 0:
		return f.Key.Line()
	case f.Value != nil && f.Value.Line() > 0:
		return f.Value.Line()
	}
	return line
}

// tableOf returns the table that an entry's value is written as.
func tableOf(f *ast.Field) *ast.TableExpr {
	if f == nil {
		return nil
	}
	t, _ := f.Value.(*ast.TableExpr)
	return t
}
