package lua

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/runtime/lua/source"
	"github.com/hookd/hookd/runtime/lua/syntax"
)

// operands knows, by line, what a script's expressions index, call and compute
// with, so that an error of the machine, which has no names, can be given some.
type operands struct {
	indexed map[indexedAt][]string // what is indexed with a key
	called  map[int][]string
	used    map[int][]string // in arithmetic, comparisons and ..
	length  map[int][]string
}

type indexedAt struct {
	line int
	key  string
}

// operandsOf collects them from a script's source.
func operandsOf(path string, text []byte) *operands {
	o := &operands{
		indexed: map[indexedAt][]string{}, called: map[int][]string{},
		used: map[int][]string{}, length: map[int][]string{},
	}
	chunk, _ := source.Parse(path, text)
	if chunk == nil {
		return o
	}
	locals := map[string]bool{}
	declaredNames(chunk.Stmts, locals)
	n := namer{locals}
	syntax.All(chunk.Stmts, func(ast.Stmt) {}, func(e ast.Expr) { o.note(n, e) })
	return o
}

func (o *operands) note(n namer, e ast.Expr) {
	line := e.Line()
	switch e := e.(type) {
	case *ast.AttrGetExpr:
		if k, ok := e.Key.(*ast.StringExpr); ok {
			at := indexedAt{line, k.Value}
			o.indexed[at] = append(o.indexed[at], n.name(e.Object))
		}
	case *ast.FuncCallExpr:
		if e.Method != "" {
			at := indexedAt{line, e.Method}
			o.indexed[at] = append(o.indexed[at], n.name(e.Receiver))
			o.called[line] = append(o.called[line], fmt.Sprintf("method '%s'", e.Method))
		} else {
			o.called[line] = append(o.called[line], n.name(e.Func))
		}
	case *ast.ArithmeticOpExpr:
		o.used[line] = append(o.used[line], n.name(e.Lhs), n.name(e.Rhs))
	case *ast.StringConcatOpExpr:
		o.used[line] = append(o.used[line], n.name(e.Lhs), n.name(e.Rhs))
	case *ast.UnaryMinusOpExpr:
		o.used[line] = append(o.used[line], n.name(e.Expr))
	case *ast.UnaryLenOpExpr:
		o.length[line] = append(o.length[line], n.name(e.Expr))
	}
}

// namer names expressions as PUC Lua does.
type namer struct{ locals map[string]bool }

// name returns "local 'x'", "global 'x'" or "field 'x'"; nothing for what has no
// name, "" literal for what cannot be at fault.
func (n namer) name(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.IdentExpr:
		if n.locals[e.Value] {
			return fmt.Sprintf("local '%s'", e.Value)
		}
		return fmt.Sprintf("global '%s'", e.Value)
	case *ast.AttrGetExpr:
		if k, ok := e.Key.(*ast.StringExpr); ok {
			return fmt.Sprintf("field '%s'", k.Value)
		}
	case *ast.NumberExpr, *ast.StringExpr:
		return literal
	}
	return ""
}

const literal = "a literal"

// declaredNames collects the names of locals and parameters.
func declaredNames(list []ast.Stmt, into map[string]bool) {
	syntax.Stmts(list, func(s ast.Stmt) {
		for _, name := range syntax.Declared(s) {
			into[name] = true
		}
	})
	syntax.Functions(list, func(f *ast.FunctionExpr, _ bool) {
		for _, name := range f.ParList.Names {
			into[name] = true
		}
	})
}

// The machine's words, and which of their parts are types.
var (
	indexWords   = regexp.MustCompile(`^attempt to index a non-table object\((\w+)\) with key '([^']*)'$`)
	arithWords   = regexp.MustCompile(`^cannot perform (\w+) operation between (\w+) and (\w+)$`)
	concatWords  = regexp.MustCompile(`^attempt to concatenate a (\w+) value$`)
	compareWords = regexp.MustCompile(`^attempt to compare (\w+) with (\w+)$`)
	aWords       = regexp.MustCompile(`^attempt to (call|perform arithmetic on|get length of) a (\w+) value$`)
	forWords     = regexp.MustCompile(`^for statement (init|limit|step) must be a number$`)
)

// explain words an error of the machine as PUC Lua would, with a name where the
// line has only one that it can be.
func (f *file) explain(line int, msg string) string {
	if !strings.HasPrefix(msg, "attempt to ") && !strings.HasPrefix(msg, "cannot perform ") && !strings.HasPrefix(msg, "for statement ") && !strings.HasPrefix(msg, "__") && !strings.HasPrefix(msg, "too many recursions in ") {
		return msg
	}
	if what, ok := strings.CutPrefix(msg, "too many recursions in "); ok {
		return "loop in " + what
	}
	f.asked.Do(func() {
		text := f.text
		if f.typed != nil {
			text = f.typed
		}
		f.names = operandsOf(f.path, text)
	})
	o := f.names
	switch {
	case msg == "attempt to call a non-function object":
		// Other values have metatables that say what they are.
		return "attempt to call " + blame(o.called[line], "table")
	case msg == "__unm undefined":
		return "attempt to perform arithmetic on " + blame(o.used[line], "table")
	}
	if m := aWords.FindStringSubmatch(msg); m != nil {
		names := map[string]map[int][]string{"call": o.called, "perform arithmetic on": o.used, "get length of": o.length}
		return "attempt to " + m[1] + " " + blame(names[m[1]][line], m[2])
	}
	if m := indexWords.FindStringSubmatch(msg); m != nil {
		if name := only(o.indexed[indexedAt{line, m[2]}]); name != "" {
			return fmt.Sprintf("attempt to index %s (a %s value)", name, m[1])
		}
		return fmt.Sprintf("attempt to index a %s value (with key '%s')", m[1], m[2])
	}
	if m := arithWords.FindStringSubmatch(msg); m != nil {
		kind := m[2]
		if kind == "number" || kind == "string" && m[3] != "number" && m[3] != "string" {
			kind = m[3]
		}
		return "attempt to perform arithmetic on " + blame(o.used[line], kind)
	}
	if m := concatWords.FindStringSubmatch(msg); m != nil {
		return "attempt to concatenate " + blame(o.used[line], m[1])
	}
	if m := compareWords.FindStringSubmatch(msg); m != nil && m[1] == m[2] {
		return fmt.Sprintf("attempt to compare two %s values", m[1])
	}
	if m := forWords.FindStringSubmatch(msg); m != nil {
		return fmt.Sprintf("'for' %s must be a number", map[string]string{"init": "initial value"}[m[1]]+strings.TrimPrefix(m[1], "init"))
	}
	return msg
}

// blame names what is at fault: the only name of the line with its type, else
// the type.
func blame(names []string, kind string) string {
	if name := only(names); name != "" {
		return fmt.Sprintf("%s (a %s value)", name, kind)
	}
	return fmt.Sprintf("a %s value", kind)
}

// only returns the one name in list, literals aside; nothing where there are
// several or where one has no name.
func only(list []string) string {
	name := ""
	for _, n := range list {
		switch {
		case n == literal || n == name:
		case n == "" || name != "":
			return ""
		default:
			name = n
		}
	}
	return name
}
