package access_test

import (
	"fmt"
	"testing"

	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/runtime/lua/access"
	"github.com/hookd/hookd/runtime/lua/source"
)

// power writes functions each of which calls the one before twice.
func power(n int) string {
	text := ""
	for i := range n {
		text += fmt.Sprintf(" local function g%d(a) g%d(a) return g%d(a) end", i+1, i, i)
	}
	return text
}

// chain writes functions each of which calls the one before, and f, which calls
// the last of n.
func chain(n int) string {
	text := "local function g0(a) return a end"
	for i := range n - 1 {
		text += fmt.Sprintf(" local function g%d(a) return (g%d(a)) end", i+1, i)
	}
	return text + fmt.Sprintf(" f = function(a) return (g%d(a)) end", n-1)
}

// TestBounded lists what may and what may not run without its instructions being
// counted.
func TestBounded(t *testing.T) {
	t.Parallel()
	native := func(name string) bool { return name == "log" || name == "tostring" || name == "store" }
	for _, tt := range []struct {
		name, src string
		want      bool
	}{
		{"nothing", `f = function() end`, true},
		{"branches", `f = function(a) if a then return 1 elseif a == 2 then a = a + 1 else do a = nil end end end`, true},
		{"calls as deep as may be", chain(access.MaxDepth - 1), true},
		{"calls deeper", chain(access.MaxDepth), false},
		{"native call", `f = function(a) log.info(tostring(a)) end`, true},
		{"store", `local s = store "x" { kind = "set" } f = function(a) s:add(a) return s:has(a) end`, true},
		{"makes a function", `f = function(a) return function() while true do end end end`, true},
		{"while", `f = function() while true do end end`, false},
		{"while in a branch", `f = function(a) if a then do while true do end end end end`, false},
		{"repeat", `f = function() repeat until false end`, false},
		{"for", `f = function() for i = 1, 1e9 do end end`, false},
		{"generic for", `f = function() for k in pairs {} do end end`, false},
		{"goto", `f = function() ::a:: goto a end`, false},
		{"local function", `local function g(a) return a end f = function(a) return g(a) + g(1) end`, true},
		{"local function that loops", `local function g(a) while a do end end f = function(a) return g(a) end`, false},
		{"local function that calls", `local function h() for i = 1, 9 do end end local function g() h() end f = function(a) g() end`, false},
		{"local function that is another", `local function g() end g = nil f = function(a) g() end`, false},
		{"local functions by the power", "local function g0(a) return a, 1, 2 end" + power(18) + " f = function(a) return g18(a) end", false},
		{"local functions by a small power", "local function g0(a) return a, 1, 2 end" + power(9) + " f = function(a) return g9(a) end", true},
		{"function given", `local function g(h) h() end f = function() g(function() while true do end end) end`, false},
		{"recursion", `local function g(n) return g(n) end f = function() g(1) end`, false},
		{"unknown function", `f = function(g) g() end`, false},
		{"itself", `function f() return f() end`, false},
		{"method of anything", `f = function(a) a:b() end`, false},
		{"iterates a store", `local s = store "x" {} f = function() s:each() end`, false},
		{"a store of two meanings", `local s = store "x" {} f = function(s) s:add(1) end`, false},
		{"a store that is replaced", `local s = store "x" {} s = {} f = function() s:add(1) end`, false},
		{"an own log", `log = {} f = function() log.info() end`, false},
		{"a local log", `f = function(log) log.info() end`, false},
		{"call of a result", `f = function() log.info()() end`, false},
		{"call in a table", `f = function(g) return { 1, x = { g() } } end`, false},
		{"call as a key", `f = function(g, t) t[g()] = 1 end`, false},
		{"call in arguments", `f = function(g) log.info(g()) end`, false},
		{"computed member", `f = function(k) log[k]() end`, false},
		{"metatables", `setmetatable({}, {}) f = function(a) return a + 1 end`, false},
		{"globals", `local g = _G f = function(a) return a + 1 end`, false},
	} {
		chunk, diags := source.Parse("t.lua", []byte(tt.src))
		if diags.HasErrors() {
			t.Fatal(tt.name, diags)
		}
		var f *ast.FunctionExpr
		switch s := chunk.Stmts[len(chunk.Stmts)-1].(type) {
		case *ast.AssignStmt:
			f = s.Rhs[0].(*ast.FunctionExpr)
		case *ast.FuncDefStmt:
			f = s.Func
		}
		if got := access.Survey(chunk.Stmts).Bounded(f, native); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.name, got, tt.want)
		}
	}
}
