package syntax

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

// everything has each kind of statement and of expression.
const everything = `
local a, b = 1, "x"
a, b[a], c.d = f(a), ...
do local inner = not a end
while a < 1 do a = a + 1 break end
repeat local x = -a until x == #b
if a then b() elseif b then c:m(1, 2) else goto out end
for i = 1, 10, 2 do print(i) end
for k, v in pairs(t) do t[k] = v end
local function g(x, ...) return x .. a, (f()) end
function t.f(y) local z = y end
function t:m(w) return self and nil or false end
local tab = { 1, k = true, [a] = function(p) return p end }
::out::
return g
`

func parsed(t *testing.T, src string) []ast.Stmt {
	t.Helper()
	stmts, err := parse.Parse(strings.NewReader(src), "t.lua")
	if err != nil {
		t.Fatal(err)
	}
	return stmts
}

// reflected counts the nodes of a tree by type, without knowing any of them.
func reflected(v reflect.Value, counts map[string]int) {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return
		}
		_, isExpr := v.Interface().(ast.Expr)
		_, isStmt := v.Interface().(ast.Stmt)
		if v.Kind() == reflect.Pointer && (isExpr || isStmt) {
			counts[v.Type().String()]++
		}
		reflected(v.Elem(), counts)
	case reflect.Slice:
		for i := range v.Len() {
			reflected(v.Index(i), counts)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				reflected(v.Field(i), counts)
			}
		}
	}
}

// TestAllFindsEveryNode compares with what reflection finds.
func TestAllFindsEveryNode(t *testing.T) {
	t.Parallel()
	stmts := parsed(t, everything)
	want, got := map[string]int{}, map[string]int{}
	reflected(reflect.ValueOf(stmts), want)
	All(stmts, func(s ast.Stmt) { got[reflect.TypeOf(s).String()]++ }, func(e ast.Expr) { got[reflect.TypeOf(e).String()]++ })
	Stmts(stmts, func(s ast.Stmt) {
		if _, ok := s.(*ast.FuncDefStmt); ok {
			got["*ast.FunctionExpr"]++ // the one that it declares is no expression
		}
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("nodes (-there +visited):\n%s", diff)
	}
	if len(want) < 25 {
		t.Errorf("only %d kinds of nodes: the program has too few", len(want))
	}
}

// TestCloneSharesNothing changes every node of a copy and looks at the original.
func TestCloneSharesNothing(t *testing.T) {
	t.Parallel()
	f := &ast.FunctionExpr{ParList: &ast.ParList{Names: []string{"a"}}, Stmts: parsed(t, everything)}
	copied := CloneFunc(f)
	if diff := cmp.Diff(f, copied, cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
		t.Fatalf("the copy differs:\n%s", diff)
	}
	lines := func(stmts []ast.Stmt) (list []int) {
		All(stmts, func(s ast.Stmt) { list = append(list, s.Line()) }, func(e ast.Expr) { list = append(list, e.Line()) })
		return list
	}
	before := lines(f.Stmts)
	All(copied.Stmts, func(s ast.Stmt) { s.SetLine(-1) }, func(e ast.Expr) { e.SetLine(-1) })
	if diff := cmp.Diff(before, lines(f.Stmts)); diff != "" {
		t.Errorf("the original changed with its copy:\n%s", diff)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	var declared, assigned, parameters []string
	stmts := parsed(t, everything)
	Stmts(stmts, func(s ast.Stmt) {
		declared, assigned = append(declared, Declared(s)...), append(assigned, Assigned(s)...)
	})
	Functions(stmts, func(f *ast.FunctionExpr, method bool) { parameters = append(parameters, Parameters(f, method)...) })
	for name, tt := range map[string]struct {
		got  []string
		want string
	}{
		"declared":   {declared, "a b inner x i k v g z tab"},
		"assigned":   {assigned, "a a"},
		"parameters": {parameters, "x arg y w self p"},
	} {
		if diff := cmp.Diff(tt.want, strings.Join(tt.got, " ")); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestReads tells what is read in a statement from what is assigned to.
func TestReads(t *testing.T) {
	t.Parallel()
	stmts := parsed(t, "a, b[c] = d, e.f")
	var read []string
	var visit func(slot *ast.Expr)
	visit = func(slot *ast.Expr) {
		if id, ok := (*slot).(*ast.IdentExpr); ok {
			read = append(read, id.Value)
		}
		Operands(*slot, visit)
	}
	Reads(stmts[0], visit)
	if diff := cmp.Diff([]string{"b", "c", "d", "e"}, read); diff != "" {
		t.Error(diff)
	}
}
