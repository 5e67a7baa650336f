package counted

import (
	"strings"
	"testing"

	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"

	"github.com/hookd/hookd/runtime/lua/syntax"
)

// calls lists the functions of this package that a chunk calls after the
// rewrite, in the order of the tree.
func calls(t *testing.T, src string, once bool) string {
	t.Helper()
	chunk, err := parse.Parse(strings.NewReader(src), "t.lua")
	if err != nil {
		t.Fatal(err)
	}
	Chunk(chunk, func(*ast.FunctionExpr) bool { return once })
	var names []string
	syntax.All(chunk, func(ast.Stmt) {}, func(e ast.Expr) {
		if id, ok := e.(*ast.IdentExpr); ok && strings.HasPrefix(id.Value, "(") {
			names = append(names, id.Value)
		}
	})
	return strings.Join(names, " ")
}

// TestWhatIsCounted shows where an operator becomes a call and where it is left.
func TestWhatIsCounted(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		src, repeated string
	}{
		{"return #a", Length},
		{"return a == b, a ~= b", Equal + " " + Equal},
		{"return a == 1, nil == a, a == 'x', a ~= true", ""},
		{"return a < b, a <= b, a > b, a >= b", Less + " " + AtMost + " " + More + " " + AtLeast},
		{"return a < 1, 'x' <= a", ""},
		{"local n = 0 n = n + 1 return n == a, n < a", ""},
		{"local n = 0 n = a return n == b", Equal},
		{"local n return n == a", ""},
		{"local n = a return n == b", Equal},
		{"local function f(n) return n == b end", Equal},
		{"for i = 1, 3 do local x = i == b or t[i] end", ""},
		{"for i = 1, 3 do i = a local x = i == b end", Equal},
		{"for i = a, #t, -1 do end", Bound + " " + Length},
		{"for i = 1, a, b do end", Bound + " " + Bound},
		{"for k in pairs(t) do local x = t[k] end", Key},
		{"return t.x, t[1], t[-1], t[true]", ""},
		{"return t[k], t[k .. 'x'], t[f()]", Key + " " + Key + " " + Key},
		{"t.x = 1 t[1] = 2 t[32] = 3 t['y'] = 4", ""},
		{"t[33] = 1", Store},
		{"t[k] = v", Store},
		{"for i = 1, 3 do t[i] = i end", Store},
		{"a.b[k] = v", Store},
		{"t[k], u[j] = 1, 2", Store + " " + Store},
		{"return { 1, x = 2 }", Table},
		{"return { [k] = 1 }", Table + " " + Store},
		{"local function f(...) g(...) return (...), ... end", Values + " " + Values},
		{"return a + b, a and b, not a, -a, a .. b", ""},
	} {
		if got := calls(t, "local function hot() "+tt.src+" end", false); got != tt.repeated {
			t.Errorf("in a function: %s\n got %s\nwant %s", tt.src, got, tt.repeated)
		}
	}
}

// TestWhatRunsOnce shows what is left alone where code is not repeated, up to a
// point.
func TestWhatRunsOnce(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		src, want string
	}{
		{"run = function() return a == b, t[k], { x = 1 } end", ""},
		{"run = function() t[k] = (t[k] or 0) + 1 end", ""},
		{"run = function() t[i] = 1 t[j] = 2 t[k] = 3 end", Store},
		{"run = function() return a < b, a < c, a < d, a < e, a < f, a < g end", Less},
		{"run = function() while x do y = a == b end end", Equal},
		{"run = function() ::again:: y = a == b goto again end", Equal},
		{"run = function() return #t end", Length},
	} {
		if got := calls(t, tt.src, true); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.src, got, tt.want)
		}
	}
}
