package strlib

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	lua "github.com/yuin/gopher-lua"
)

// eval runs "return <expr>" and returns the results as tostring shows them,
// strings in quotes; an error is its text after "error: ".
func eval(L *lua.LState, expr string) string {
	fn, err := L.Load(strings.NewReader("return "+expr), "script")
	if err != nil {
		return "syntax: " + err.Error()
	}
	top := L.GetTop()
	defer L.SetTop(top)
	L.Push(fn)
	if err := L.PCall(0, lua.MultRet, nil); err != nil {
		return "error: " + err.(*lua.ApiError).Object.String()
	}
	var out []string
	for i := top + 1; i <= L.GetTop(); i++ {
		if s, ok := L.Get(i).(lua.LString); ok {
			out = append(out, fmt.Sprintf("%q", string(s)))
		} else {
			out = append(out, RawString(L, L.Get(i)))
		}
	}
	return strings.Join(out, " ")
}

type evalTest struct{ expr, want string }

func runEvalTests(t *testing.T, L *lua.LState, tests []evalTest) {
	t.Helper()
	for _, tt := range tests {
		if got := eval(L, tt.expr); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.expr, got, tt.want)
		}
	}
}

// TestWhereGopherLuaDiffers has what authors of 5.1 scripts stumbled over.
func TestWhereGopherLuaDiffers(t *testing.T) {
	t.Parallel()
	runEvalTests(t, newState(t, nil), []evalTest{
		{`tonumber("1e5"), tonumber("-0x10"), tonumber("010"), tonumber("  5  ")`, `100000 -16 10 5`},
		{`tonumber("0b11"), tonumber("1_000"), tonumber("inf"), tonumber("nan"), tonumber("")`, `nil nil nil nil nil`},
		{`tonumber("0x10"), tonumber("10", 2), tonumber("zz", 36), tonumber("8", 8)`, `16 2 1295 nil`},
		{`tostring(1/0), tostring(-1/0), tostring(0/0), tostring(-(0/0))`, `"inf" "-inf" "nan" "nan"`},
		{`tostring(1e15), tostring(2^53), tostring(0.1), tostring(1e100)`, `"1e+15" "9.007199254741e+15" "0.1" "1e+100"`},
		{`string.lower("\192A\255Z"), string.upper("\228a\0z")`, `"\xc0a\xffz" "\xe4A\x00Z"`},
		{`string.format("%u %i", 3, -3), string.format("%x", -1)`, `"3 -3" "ffffffffffffffff"`},
		{`string.format("%d", 3.7), string.format("%d", -3.7), string.format("%d", "10")`, `"3" "-3" "10"`},
		{`string.format("%d")`, `error: script:1: bad argument #2 to 'format' (no value)`},
		{`string.format("%d", nil)`, `error: script:1: bad argument #2 to 'format' (number expected, got nil)`},
		{`string.format("%d", "x")`, `error: script:1: bad argument #2 to 'format' (number expected, got string)`},
		{`string.format("%y", 1)`, `error: script:1: invalid option '%y' to 'format'`},
		{`string.format("%q", 'a\n"\\\0\r')`, `"\"a\\\n\\\"\\\\\\000\\r\""`},
		{`string.format("%s|%c|%5s", "a\0b", 0, "\0")`, `"a\x00b|\x00|    \x00"`},
		{`string.format("%F %F", 1.5, -1/0)`, `"1.500000 -INF"`},
		{`string.rep("ab", 3, ",")`, `"ababab"`},
		{`select("#", string.match("a", "b")), tostring(string.match("a", "b"))`, `1 "nil"`},
		{`string.find("abc", "", 10), string.find("abc", "", 10)`, `4 4 3`},
		{`string.find("abc", "b", 10, true), string.find("", "")`, `nil 1 0`},
		{`string.find("a.b", ".", 2), string.find("a.b", ".", 1, true)`, `2 2 2`},
		{`string.char(256)`, `error: script:1: bad argument #1 to 'char' (invalid value)`},
		{`string.match("a\128\255b", "[\128-\255]+")`, `"\x80\xff"`},
		{`string.gsub("hello world", "o", "0", 1)`, `"hell0 world" 1`},
		{`string.gsub("abc", "%w*", "x")`, `"xx" 2`},
		{`string.gsub("abc", "", "-")`, `"-a-b-c-" 4`},
		{`string.gsub("$name is $age", "%$(%w+)", {name = "Bob", age = 42})`, `"Bob is 42" 2`},
		{`string.gsub("abc", "(b)", "%2")`, `error: script:1: invalid capture index`},
		{`string.find("a", "[a")`, `error: script:1: malformed pattern (missing ']')`},
		{`string.find("a", "%")`, `error: script:1: malformed pattern (ends with '%')`},
		{`string.find("a", "%f")`, `error: script:1: missing '[' after '%f' in pattern`},
		{`string.find("a", "(a")`, `error: script:1: unfinished capture`},
		{`string.dump`, `nil`},
		{`("x"):rep(2), ("%d"):format(7), #("abc"):sub(2)`, `"xx" "7" 2`},
		{`string.sub("abc", 2, 1/0), string.sub("abc", -1/0, 2), string.sub("abc", 0/0)`, `"bc" "ab" "abc"`},
		{`string.rep("x", -1), string.rep("", 1e18)`, `"" ""`},
		{`table.concat({1, 2.5, "x"}, ", "), table.concat({}), table.concat({1, 2, 3}, "-", 2)`, `"1, 2.5, x" "" "2-3"`},
		{`table.concat({1, {}, 3})`, `error: script:1: invalid value (table) at index 2 in table for 'concat'`},
	})
}

func TestArgumentErrors(t *testing.T) {
	t.Parallel()
	runEvalTests(t, newState(t, nil), []evalTest{
		{`string.rep()`, `error: script:1: bad argument #1 to 'rep' (string expected, got no value)`},
		{`string.rep("x")`, `error: script:1: bad argument #2 to 'rep' (number expected, got no value)`},
		{`string.rep("x", {})`, `error: script:1: bad argument #2 to 'rep' (number expected, got table)`},
		{`string.gsub("x", "x")`, `error: script:1: bad argument #3 to 'gsub' (string/function/table expected)`},
		{`string.gsub("x", "x", function() return {} end)`, `error: script:1: invalid replacement value (a table)`},
		{`tostring()`, `error: script:1: bad argument #1 to 'tostring' (value expected)`},
		{`tonumber()`, `error: script:1: bad argument #1 to 'tonumber' (value expected)`},
		{`tonumber({}, 16)`, `error: script:1: bad argument #1 to 'tonumber' (string expected, got table)`},
		{`tonumber("1", 99)`, `error: script:1: bad argument #2 to 'tonumber' (base out of range)`},
		{`table.insert({})`, `error: script:1: wrong number of arguments to 'insert'`},
		{`table.insert(nil, 1)`, `error: script:1: bad argument #1 to 'insert' (table expected, got nil)`},
		{`table.sort({1, 2}, 3)`, `error: script:1: bad argument #2 to 'sort' (function expected, got number)`},
		{`table.sort({1, "x"})`, `error: script:1: attempt to compare string with number`},
		{`table.sort({{}, {}})`, `error: script:1: attempt to compare two table values`},
		{`string.byte(("x"):rep(9000), 1, -1)`, `error: script:1: stack overflow (string slice too long)`},
		{`unpack({}, 1, 9000)`, `error: script:1: too many results to unpack`},
		{`unpack({}, -2^60, 2^62)`, `error: script:1: too many results to unpack`},
		{`select("#", unpack({}, 1, 7000))`, `7000`},
	})
}

func TestMetatableIsProtected(t *testing.T) {
	t.Parallel()
	L := newState(t, nil)
	runEvalTests(t, L, []evalTest{
		{`getmetatable("")`, `"string"`},
		{`pcall(setmetatable, "", {})`, `false "script:1: cannot change a protected metatable"`},
		{`(""):getmetatable()`, `error: script:1: attempt to call a non-function object`},
	})
}

func TestModuleIsInOrder(t *testing.T) {
	t.Parallel()
	L := newState(t, nil)
	if err := L.DoString(`names = {} for k in pairs(string) do names[#names + 1] = k end`); err != nil {
		t.Fatal(err)
	}
	want := `"byte char find format gfind gmatch gsub len lower match rep reverse sub upper"`
	if diff := cmp.Diff(want, eval(L, `table.concat(names, " ")`)); diff != "" {
		t.Error(diff)
	}
}

func TestCallsNest(t *testing.T) {
	t.Parallel()
	L := newState(t, nil)
	script := `
	local function inner(w)
	  return (w:gsub(".", function(c) return c .. c:upper():gsub("%u", "(%0)") end))
	end
	outer = ("ab cd"):gsub("(%a)(%a)", function(a, b) return inner(b) .. inner(a) end)
	pairs_seen = {}
	for k in ("a b"):gmatch("%a") do
	  for v in ("1 2"):gmatch("%d") do pairs_seen[#pairs_seen + 1] = k .. v end
	end
	ok, msg = pcall(string.gsub, "abc", "b", function() error("stop", 0) end)
	after = ("abc"):gsub("b", function() return "B" end)
	`
	if err := L.DoString(script); err != nil {
		t.Fatal(err)
	}
	runEvalTests(t, L, []evalTest{
		{`outer`, `"b(B)a(A) d(D)c(C)"`},
		{`table.concat(pairs_seen, " ")`, `"a1 a2 b1 b2"`},
		{`ok, msg, after`, `false "stop" "aBc"`},
	})
}

func TestSmallPartDoesNotKeepLargeString(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 1<<20)
	shared := func(part lua.LString, at int) bool {
		return unsafe.StringData(string(part)) == unsafe.StringData(large[at:])
	}
	if shared(piece(large, 10, 20), 10) {
		t.Error("ten bytes keep a megabyte alive")
	}
	if !shared(piece(large, 0, 1<<19), 0) {
		t.Error("half of a large string was copied")
	}
}
