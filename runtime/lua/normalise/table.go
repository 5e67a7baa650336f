package normalise

import (
	"slices"
	"strconv"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/runtime/lua/syntax"
)

// tableFields rewrites a constructor whose list items the compiler would store
// from the wrong registers.
func tableFields(t *ast.TableExpr) ast.Expr {
	for _, f := range t.Fields {
		if f.Key != nil {
			syntax.Single(f.Value)
		}
	}
	batch := lua.FieldsPerFlush
	if len(t.Fields) <= batch {
		return t
	}
	fields := make([]*ast.Field, 0, len(t.Fields))
	items, last := 0, 0
	for _, f := range t.Fields {
		if f.Key == nil {
			items, last = items+1, len(fields)
			fields = append(fields, f)
			continue
		}
		if items == 0 || items%batch != 0 {
			fields = append(fields, f)
			continue
		}
		fields = slices.Insert(fields, last, f)
		last++
	}
	t.Fields = fields
	tail := fields[len(fields)-1]
	if tail.Key != nil || !multiple(tail.Value) || items == 1 || (items-1)%batch != 0 {
		return t
	}
	t.Fields = fields[:len(fields)-1]
	return appended(t, items-1, tail.Value)
}

// appended builds a table and puts all values of an expression behind the list
// items that it has. "arg" is what Lua 5.1 calls the extra arguments of a
// function that does not name them "..." in its body.
func appended(t *ast.TableExpr, items int, values ast.Expr) ast.Expr {
	line := values.Line()
	entry := func(object, key ast.Expr) ast.Expr {
		return at(&ast.AttrGetExpr{Object: object, Key: key}, line)
	}
	index := at(&ast.ArithmeticOpExpr{Operator: "+", Lhs: number(strconv.Itoa(items), line), Rhs: ident(nameIndex, line)}, line)
	loop := at(&ast.NumberForStmt{
		Name:  nameIndex,
		Init:  number("1", line),
		Limit: entry(ident("arg", line), at(&ast.StringExpr{Value: "n"}, line)),
		Stmts: []ast.Stmt{assignment(entry(ident(nameTable, line), index), entry(ident("arg", line), ident(nameIndex, line)))},
	}, line)
	loop.SetLastLine(line)
	give := at(&ast.ReturnStmt{Exprs: []ast.Expr{ident(nameTable, line)}}, line)
	add := function(line, &ast.ParList{HasVargs: true, Names: []string{nameTable}}, loop, give)
	return at(&ast.FuncCallExpr{Func: add, Args: []ast.Expr{t, values}, AdjustRet: true}, t.Line())
}
