package lua

import (
	"fmt"
	"slices"
	"strings"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/runtime/lua/source"
	"github.com/hookd/hookd/runtime/lua/syntax"
)

// selectionName is what diagnostics call the text of an expression that selects
// events.
const selectionName = "--where"

// selection is an expression as a script: one rule an event, whose `when` is the
// expression.
type selection struct {
	prog  *program
	infos []*event.Info // by rule
}

var (
	_ engine.SelectingRuntime = (*Runtime)(nil)
	_ engine.Selection        = (*selection)(nil)
)

// Select implements [engine.SelectingRuntime]. The expression has the names that
// handlers of the event have, its arguments and `this`; and those of the event's
// other fields and of the fields of its subject, as in `client.port == 5060`.
func (rt *Runtime) Select(expr string, infos []*event.Info) (engine.Selection, diag.List) {
	chunk, diags := source.Parse(selectionName, []byte("return\n"+expr))
	if chunk == nil {
		return nil, shift(diags, 1)
	}
	if !oneExpression(chunk.Stmts) {
		return nil, diag.List{{
			File: selectionName, Line: 1, Col: 1, Source: firstLine(expr), Msg: "one expression expected",
			Hint: "as in client.port == 5060 and pkt.len > 1000",
		}}
	}
	used := freeNames(chunk.Stmts)
	s := &selection{}
	var text strings.Builder
	var first diag.List
	for _, info := range slices.Compact(slices.Clone(infos)) {
		one := rt.ruleFor(expr, info, used)
		switch list := rt.checkSelection(one, info); {
		case !list.HasErrors():
			s.infos = append(s.infos, info)
			text.WriteString(one)
		case first == nil:
			first = list
		}
	}
	if len(s.infos) == 0 {
		return nil, first
	}
	prog, diags := rt.Compile(engine.Source{Path: selectionName, Text: []byte(text.String())})
	if prog == nil {
		return nil, diags
	}
	s.prog = prog.(*program)
	return s, nil
}

// oneExpression reports whether a chunk is what `return` and one expression
// make.
func oneExpression(stmts []ast.Stmt) bool {
	if len(stmts) != 1 {
		return false
	}
	r, ok := stmts[0].(*ast.ReturnStmt)
	return ok && len(r.Exprs) == 1
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// shift takes n lines that no author wrote off the places of diagnostics.
func shift(diags diag.List, n int) diag.List {
	for _, d := range diags {
		d.Line = max(d.Line-n, 0)
	}
	return diags
}

// freeNames lists the names that an expression uses, apart from those that a
// function in it declares.
func freeNames(stmts []ast.Stmt) []string {
	declared := map[string]bool{}
	var names []string
	syntax.All(stmts, func(s ast.Stmt) {
		for _, name := range syntax.Declared(s) {
			declared[name] = true
		}
	}, func(x ast.Expr) {
		switch x := x.(type) {
		case *ast.IdentExpr:
			names = append(names, x.Value)
		case *ast.FunctionExpr:
			for _, name := range syntax.Parameters(x, false) {
				declared[name] = true
			}
		}
	})
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return declared[name] })
}

// ruleFor writes the rule that asks the expression about the events of info. The
// expression begins a line of its own, so that columns are those of its author.
func (rt *Runtime) ruleFor(expr string, info *event.Info, used []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "rule %q { on = %s, when = function(%s)", info.Name, info.Name, strings.Join(info.Args, ", "))
	subject := rt.subjectOf(info)
	for _, name := range used {
		switch {
		case name == "this" || slices.Contains(info.Args, name):
		case info.Field(name) != nil:
			fmt.Fprintf(&b, " local %s = this.%s", name, name)
		case subject != nil && subject.Field(name) != nil:
			arg := info.Args[0]
			if info.Subject().Get.Present != nil {
				arg += " and " + arg
			}
			fmt.Fprintf(&b, " local %s = %s.%s", name, arg, name)
		}
	}
	fmt.Fprintf(&b, " return\n%s\nend, run = function() end }\n", expr)
	return b.String()
}

// subjectOf returns the row of what the events of info are about, nil for
// nothing.
func (rt *Runtime) subjectOf(info *event.Info) *event.Object {
	f := info.Subject()
	if f == nil {
		return nil
	}
	return rt.cfg.Catalogue.Object(f.Type.Object)
}

// checkSelection says what is wrong with a rule that [Runtime.ruleFor] wrote, as
// about the expression.
func (rt *Runtime) checkSelection(text string, info *event.Info) diag.List {
	f := &file{path: selectionName, text: []byte(text)}
	diags := shift(rt.compile(f, func(*source.Chunk) {}), 1)
	for _, d := range diags {
		name, unknown := strings.CutPrefix(d.Msg, "unknown name ")
		if !unknown {
			continue
		}
		names := append(slices.Clone(info.Args), "this")
		d.Msg = fmt.Sprintf("%s has no %s", info.Name, name)
		for i := range info.Fields {
			names = append(names, info.Fields[i].Name)
		}
		if o := rt.subjectOf(info); o != nil {
			d.Msg = fmt.Sprintf("neither %s nor its %s has a %s", info.Name, o.Name, name)
			for i := range o.Fields {
				names = append(names, o.Fields[i].Name)
			}
		}
		if near := diag.Nearest(name, names); near != "" {
			d.Hint = "did you mean " + near + "?"
		}
	}
	return diags
}

// Takes implements [engine.Selection].
func (s *selection) Takes(info *event.Info) bool { return slices.Contains(s.infos, info) }

// Reads implements [engine.Selection].
func (s *selection) Reads() *engine.Reads { return s.prog.reads }
