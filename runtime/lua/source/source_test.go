package source

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/spec/cputime"
	"github.com/yuin/gopher-lua/ast"
)

// atOnce is what anything in this package may cost.
const atOnce = time.Second

func TestLimits(t *testing.T) {
	t.Parallel()
	names := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "n%x()\n", i)
		}
		return b.String()
	}
	const (
		tooDeep   = "nested deeper than 200 levels"
		tooLong   = "expression of more than 1000 operators, calls and indexes"
		functions = "more than 4096 functions in one file"
		labels    = "more than 1000 labels and gotos in one file"
		constants = "more than 8192 different names, numbers and strings in one file"
	)
	r := strings.Repeat
	for _, tt := range []struct{ name, src, want string }{
		{"size", r("x = 1\n", 1<<20), "source of 6291456 bytes is too large: the limit is 262144"},
		{"nested tables of 4 MB", "x = " + r("{", 4<<20), "source of 4194308 bytes is too large: the limit is 262144"},
		{"tables", "x = " + r("{", 60_000) + r("}", 60_000), tooDeep},
		{"parentheses", "x = " + r("(", 201) + "1" + r(")", 201), tooDeep},
		{"indexes in indexes", "x = " + r("a[", 100_000), tooDeep},
		{"blocks", r("do ", 80_000), tooDeep},
		{"functions in functions", r("x = function() ", 10_000), tooDeep},
		{"ifs", r("if a then ", 201) + r("end ", 201), tooDeep},
		{"loops", r("while a do repeat for i = 1, 2 do ", 67) + r("end until a end ", 67), tooDeep},
		{"not", "x = " + r("not ", 60_000) + "y", tooDeep},
		{"minus", "x = " + r("- ", 100_000) + "y", tooDeep},
		{"length", "x = " + r("#", 200_000) + "y", tooDeep},
		{"powers", "x = y" + r("^y", 100_000), tooDeep},
		{"minus and powers", "x = y" + r("^-y", 101), tooDeep},
		{"concatenation", "x = y" + r("..y", 60_000), tooDeep},
		{"concatenation of sums", "x = y" + r("..y+z", 201), tooDeep},
		{"nesting of different kinds", r("f(function() return ", 60) + "x = " + r("not {", 60), tooDeep},
		{"nested 200 deep", "x = " + r("(", 200) + "1" + r(")", 200), ""},
		{"200 in a row", r("x = "+r("{", 150)+r("}", 150)+"\n", 200), ""},
		{"200 arguments", "f(" + r("-1, not a, b .. c, ", 300) + "0)", ""},
		{"sum", "x = y" + r("+y", 251), tooLong},
		{"sum of 250", "x = y" + r("+y", 250), ""},
		{"or", "x = y" + r(" or y", 1001), tooLong},
		{"or of 1000", "x = y" + r(" or y", 1000), ""},
		{"indexes", "x = y" + r(".y", 1001), tooLong},
		{"calls", "x = y" + r("()", 1001), tooLong},
		{"string calls", "x = y" + r("''", 1001), tooLong},
		{"table calls", "x = y" + r("{}", 1001), tooLong},
		{"methods", "x = y" + r(":y()", 501), tooLong},
		{"long operands of a sum", "x = y" + r(" + y"+r(".y", 100), 100), ""},
		{"long operands within long operands", "x = y" + r(" or f(y"+r(" or y", 300), 4), tooLong},
		{"many statements", r("x = y or z + a.b.c f() ", 10_000), ""},
		{"elseif", "if a then " + r("elseif a then ", 1001) + "end", tooLong},
		{"functions", r("f(function() end) ", 4097), functions},
		{"labels", r("goto a ", 1001), labels},
		{"constants", names(8193), constants},
		{"constants that fit", names(8192), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var chunk *Chunk
			var list diag.List
			if took := cputime.Of(func() { chunk, list = Parse("x.lua", []byte(tt.src)) }); took > atOnce {
				t.Errorf("took %v", took)
			}
			if tt.want == "" {
				if chunk == nil {
					t.Errorf("refused: %v", list)
				}
				return
			}
			if len(list) != 1 || list[0].Msg != tt.want {
				t.Errorf("said %v, want %q", list, tt.want)
			}
		})
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"0": "0", "7": "7", "010": "10", "0010": "10", "00": "0", "007.50": "7.50", "3.": "3.", ".5": ".5", "00.5": "0.5",
		"1e2": "1e2", "1E+2": "1E+2", "5e-1": "5e-1", "0x1F": "0x1F", "0Xff": "0Xff", "0xdeadBEEF": "0xdeadBEEF",
	} {
		chunk, list := Parse("x.lua", []byte("return "+src))
		if chunk == nil {
			t.Errorf("%s: %v", src, list)
			continue
		}
		number, ok := chunk.Stmts[0].(*ast.ReturnStmt).Exprs[0].(*ast.NumberExpr)
		if !ok || number.Value != want {
			t.Errorf("%s was read as %v, want %s", src, number, want)
		}
	}
	for _, src := range []string{
		"1e", "1e+", "0x", "0xg", "1..2", "1.2.3", "1_000", "0b1", "3x", "3e4x", "1e5.5", "0x1p4", "0x.8", "..5", "1.e", "٣",
	} {
		if chunk, _ := Parse("x.lua", []byte("return "+src)); chunk != nil {
			t.Errorf("%s was accepted", src)
		}
	}
}

func TestStrings(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		`"a\"b"`: `a"b`, `'\65\066\1'`: "AB\x01", `"\\"`: `\`, "'a\\\nb'": "a\nb", "'a\\\r\nb'": "a\nb", `"\q"`: "q",
		"[==[a]]b]=]c]==]": "a]]b]=]c", "[[\r\na\r\nb]]": "a\nb", `"\0001"`: "\x001", `'"'`: `"`, `""`: "",
		"[[--]]": "--", `"--[["`: "--[[", "'\xff\x00'": "\xff\x00",
	} {
		chunk, list := Parse("x.lua", []byte("return "+src))
		if chunk == nil {
			t.Errorf("%q: %v", src, list)
			continue
		}
		s, ok := chunk.Stmts[0].(*ast.ReturnStmt).Exprs[0].(*ast.StringExpr)
		if !ok || s.Value != want {
			t.Errorf("%q was read as %v, want %q", src, s, want)
		}
	}
}

// TestAccepted lists what is Lua 5.1 and looks as if it were not.
func TestAccepted(t *testing.T) {
	t.Parallel()
	for _, src := range []string{
		"", "--", "--[[]]", "#!/usr/bin/lua", "\xef\xbb\xbfx = 1", "\xef\xbb\xbf#!x\nx = 1",
		"--[==== a banner ====", "--[=\nx = 1", "--[[ a\n]] x = 1", "x\v=\f1",
		"x = 1;", "f();g()", "f()g()", "return;", "return", "do return end x = 1", "while x do break; end",
		"local a\n(f or g)()", "x = 1\n(f)()", "x = {}\n(f)()", "x = function() end\n(f)()", "f 'a'\n'b'", "f{}\n{}",
		"local function f\n() end", "function a.b:c\n() end", "x = f\n\n'a'", "goto l\n(f)() ::l::",
		"::l:: (f)()", "goto l ::l:: f()", "goto l f() ::l::", "local x; f()", "for a, b\nin\n(f)() do end", "a.b['c'].d(1):e{}.f = 1", "(a).b = 1", "(f()).x = 1", "a = (b)", "(a)()",
		"function f(...) return ..., (...) end", "x = {...}", "x = {f = 1, [2] = 3; 4,}", "x = -x ^ -y", "x = not not x",
		"repeat local x until x", "x = a.b.c", "x = '' .. 1 .. ''", "x = 1 ..2", "for i = 1, 2, 3 do end",
		"if a then elseif b then else end", "a, b.c, d[1] = 1", "local a, b = f()",
		"x = function(a, b, ...) local arg = ... end",
	} {
		chunk, list := Parse("x.lua", []byte(src))
		if chunk == nil || len(list) > 0 {
			t.Errorf("%q: %v", src, list)
		}
		if Incomplete([]byte(src)) {
			t.Errorf("%q is said to be incomplete", src)
		}
	}
}

// TestRefused lists what gopher-lua's parser lets through.
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, src := range []string{
		"f\n()", "f()\n()", "local x; f\n()", "goto l ::l:: f\n()", "goto l f\n() ::l::", "f()--\n()", "f.x\n(1)", "f[1]\n(1)", "f''\n(1)", "f{}\n(1)", "(f)\n(1)", "x = f\n(g)()",
		"x = 1e", "x = 0x", "x = '\\256'", "break", "do break end", "while x do f(function() break end) end",
		"function f() return ... end", "function f(...) return function() return ... end end",
		"(f())", "(f)", "do ((f())) end", "(f:g()) x = 1",
	} {
		if chunk, _ := Parse("x.lua", []byte(src)); chunk != nil {
			t.Errorf("%q was accepted", src)
		}
	}
}

func TestIncomplete(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]bool{
		"x =": true, "if a then": true, "f(": true, "x = {": true, "x = [[": true, "--[[": true, "function f()": true,
		"x = 'a\\\n": true, "x = 'a\\": true, "repeat": true, "x": true, "local": true, "x = '\\x' ..": true,
		"x = 'a": false, "x = 'a\n": false, "x = = 1": false, "end": false, "x = 1": false, "x = '\\x'": false,
		"if a then b()": true, "if a then b c": false, "x = 1e": false, "break": false,
	} {
		if got := Incomplete([]byte(src)); got != want {
			t.Errorf("Incomplete(%q) = %v, want %v", src, got, want)
		}
	}
}

// TestLines holds that blanking comments, marks and zeros moves nothing.
func TestLines(t *testing.T) {
	t.Parallel()
	src := "#!x\r\n-- a\r\n--[[ b\n\n]] a() --[=[\n]=] b()\r\rc('x\\\n', [[\n\n]], 0010)\n\r d()"
	chunk, list := Parse("x.lua", []byte(src))
	if chunk == nil {
		t.Fatal(list)
	}
	got := map[string]int{}
	for _, s := range chunk.Stmts {
		call := s.(*ast.FuncCallStmt).Expr.(*ast.FuncCallExpr)
		got[call.Func.(*ast.IdentExpr).Value] = s.Line()
	}
	if diff := cmp.Diff(map[string]int{"a": 5, "b": 6, "c": 8, "d": 12}, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if string(chunk.Src) != src {
		t.Error("Parse changed the source")
	}
}

func FuzzParse(f *testing.F) {
	for _, src := range []string{
		"x = 1", "if a then b() else if c then d() end", "x = [==[ ]=] ]==] --[[\n", "f\n(g)()", "'\\", "#!", "\xef\xbb\xbf#",
		"goto a ::a::", "x = {1, [2] = 3; a = 4,}", "for i = 1, 2 do break end return ...", "x = 0010 .. 1e 0x", "a.b:c'x'.d = 1",
		strings.Repeat("not -#", 100), strings.Repeat("(", 300), "repeat until function(...) end", "local function a(", "]]", "--[==[",
	} {
		f.Add([]byte(src))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		var chunk *Chunk
		var list diag.List
		if took := cputime.Of(func() { chunk, list = Parse("x.lua", src) }); took > atOnce {
			t.Errorf("took %v", took)
		}
		if (chunk == nil) != list.HasErrors() {
			t.Errorf("chunk %v with %v", chunk != nil, list)
		}
		if chunk != nil && Incomplete(src) {
			t.Error("what parses is incomplete")
		}
		for _, d := range list {
			if d.Msg == "" || strings.Contains(d.Msg, "parser failed") || d.Line < 1 || d.Col < 1 || d.Col > len(d.Source)+1 {
				t.Errorf("diagnostic %+v", d)
			}
		}
	})
}
