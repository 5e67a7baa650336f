package strlib

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// The tests of this file make the same calls here and in PUC Lua 5.1 and
// compare what comes back, byte for byte: results, error texts, and what became
// of a table that was given.

// call is a function by name and its arguments: nil, bool, float64, string,
// list, dict or ident.
type call struct {
	fn   string
	args []any
}

type (
	list  []any    // a table of elements 1 to n
	dict  []any    // a table of keys and values by turns
	ident string   // a global function of the prelude
	calls []call   // in the order made
	lines []string // one a call
)

// prelude is run on both sides. It keeps to Lua that gopher-lua compiles right.
const prelude = `
function F_first(a) return a end
function F_count(...) return select("#", ...) end
function F_nil() return nil end
function F_false() return false end
function F_table() return {} end
function F_join(a, b) if b then return tostring(a) .. "|" .. tostring(b) end end
function F_nested(a) return (string.gsub(tostring(a), "%w", "<%0>")) end
function F_raise(a) error("raised", 0) end
function F_less(a, b) return a < b end
function F_more(a, b) return a > b end
function F_mod(a, b) return a % 7 < b % 7 end
function F_always() return true end
function F_never() return false end
function F_coin(a, b) return ((a or 1) * 7 + (b or 2) * 3) % 5 < 2 end

function collect(s, p)
  local r, n = {}, 0
  for a, b, c in string.gmatch(s, p) do
    n = n + 1
    if n > 60 then break end
    r[n] = tostring(a) .. "," .. tostring(b) .. "," .. tostring(c)
  end
  return n, table.concat(r, ";")
end
`

// reporter makes PUC Lua write what run writes here.
const reporter = `
local function hex(s) return (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end
local function show(v)
  if type(v) == "number" then return "n" .. ("%.17g"):format(v) end
  if type(v) == "string" then return "s" .. hex(v) end
  if v == nil or type(v) == "boolean" then return tostring(v) end
  return type(v)
end
local function line(ok, ...)
  if not ok then
    local e = tostring((...))
    return "error " .. hex((e:gsub("^[^:]*:%d+: ", "")))
  end
  local t = {}
  for i = 1, select("#", ...) do t[i] = show((select(i, ...))) end
  return table.concat(t, " ")
end
local function pack(...) return {n = select("#", ...), ...} end
function case(f, t, last)
  local out = line(pcall(function() local r = pack(f()) return unpack(r, 1, r.n) end))
  if t then
    local e = {}
    for i = -3, last do e[#e + 1] = show(t[i]) end
    out = out .. " {" .. table.concat(e, " ") .. "}"
  end
  io.write(out, "\n")
end
`

// requireLua5_1 returns the interpreter or skips. Where everything has to be
// there, HOOKD_CI=1 says so.
func requireLua5_1(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("lua5.1")
	if err != nil {
		if os.Getenv("HOOKD_CI") == "1" {
			t.Fatal("lua5.1 is not installed")
		}
		t.Skip("lua5.1 is not installed")
	}
	return path
}

// compare runs the calls on both sides.
func compare(t *testing.T, cs calls) {
	t.Helper()
	path := requireLua5_1(t)
	want := cs.runPUC(t, path)
	got := cs.runHere(t)
	if len(got) != len(want) {
		t.Fatalf("%d results here, %d in PUC Lua", len(got), len(want))
	}
	differ, raised := 0, 0
	for i := range got {
		if strings.HasPrefix(want[i], "error") {
			raised++
		}
		if got[i] != want[i] {
			if differ++; differ <= 10 {
				t.Errorf("%s\n here %s\n PUC  %s", cs[i].source(), readable(got[i]), readable(want[i]))
			}
		}
	}
	t.Logf("%d calls, %d of them errors; %d differ", len(cs), raised, differ)
	if raised > len(cs)*9/10 {
		t.Errorf("%d of %d calls raise: the generator has lost its aim", raised, len(cs))
	}
}

func (cs calls) runPUC(t *testing.T, path string) lines {
	t.Helper()
	var src strings.Builder
	src.WriteString(prelude + reporter)
	for _, c := range cs {
		if first, ok := c.firstList(); ok {
			fmt.Fprintf(&src, "do local t = %s; case(function() local a, b, c = %s return a, b, c end, t, %d) end\n",
				literal(first), c.sourceWith("t"), len(first)+3)
		} else {
			fmt.Fprintf(&src, "case(function() local a, b, c, d, e, f = %s return a, b, c, d, e, f end)\n", c.source())
		}
	}
	cmd := exec.Command(path, "-")
	cmd.Stdin = strings.NewReader(src.String())
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("lua5.1: %v\n%s", err, exit.Stderr)
		}
		t.Fatalf("lua5.1: %v", err)
	}
	res := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	for i := range res {
		res[i] = strings.ReplaceAll(res[i], "n-nan", "nnan")
	}
	return res
}

func (c call) firstList() (list, bool) {
	if len(c.args) == 0 {
		return nil, false
	}
	l, ok := c.args[0].(list)
	return l, ok
}

func (c call) source() string { return c.sourceWith("") }

func (c call) sourceWith(first string) string {
	args := make([]string, len(c.args))
	for i, a := range c.args {
		args[i] = literal(a)
	}
	if first != "" {
		args[0] = first
	}
	return c.fn + "(" + strings.Join(args, ", ") + ")"
}

// literal writes a value as Lua source.
func literal(v any) string {
	switch v := v.(type) {
	case nil:
		return "nil"
	case bool:
		return strconv.FormatBool(v)
	case float64:
		switch {
		case math.IsNaN(v):
			return "(0/0)"
		case math.IsInf(v, 0):
			return fmt.Sprintf("(%d/0)", int(math.Copysign(1, v)))
		}
		return fmt.Sprintf("(%.17g)", v)
	case string:
		var b strings.Builder
		for i := range len(v) {
			fmt.Fprintf(&b, "\\%03d", v[i])
		}
		return `"` + b.String() + `"`
	case list:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = literal(v[i])
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case dict:
		var b strings.Builder
		for i := 0; i < len(v); i += 2 {
			fmt.Fprintf(&b, "[%s] = %s, ", literal(v[i]), literal(v[i+1]))
		}
		return "{" + b.String() + "}"
	case ident:
		return string(v)
	}
	panic(fmt.Sprintf("no literal for %T", v))
}

// newState returns a state with the package installed and what the prelude
// needs of the base library.
func newState(tb testing.TB, lim *Limits) *lua.LState {
	tb.Helper()
	L := lua.NewState(lua.Options{SkipOpenLibs: true, RegistryMaxSize: 1 << 20})
	tb.Cleanup(L.Close)
	L.Push(L.NewFunction(lua.OpenBase))
	L.Push(lua.LString(""))
	L.Call(1, 0)
	Open(L, lim)
	OpenTable(L, lim)
	L.SetGlobal("tostring", L.NewFunction(ToString))
	L.SetGlobal("tonumber", L.NewFunction(ToNumber))
	return L
}

func (cs calls) runHere(t *testing.T) lines {
	t.Helper()
	L := newState(t, nil)
	if err := L.DoString(prelude); err != nil {
		t.Fatal(err)
	}
	res := make(lines, len(cs))
	for i, c := range cs {
		res[i] = c.run(L)
	}
	return res
}

var place = regexp.MustCompile(`^[^:]*:\d*:? `)

func (c call) run(L *lua.LState) string {
	fn := L.GetGlobal(strings.Split(c.fn, ".")[0])
	if dot := strings.IndexByte(c.fn, '.'); dot >= 0 {
		fn = L.GetField(fn, c.fn[dot+1:])
	}
	args := make([]lua.LValue, len(c.args))
	for i, a := range c.args {
		args[i] = value(L, a)
	}
	L.SetTop(0)
	var out []string
	err := L.CallByParam(lua.P{Fn: fn, NRet: lua.MultRet, Protect: true}, args...)
	first, hasList := c.firstList()
	switch {
	case err != nil:
		text := strings.TrimPrefix(err.(*lua.ApiError).Object.String(), " ")
		out = []string{"error " + hex.EncodeToString([]byte(place.ReplaceAllString(text, "")))}
	default:
		n := 6
		if hasList {
			n = 3
		}
		for i := 1; i <= n; i++ { // the other side returns a fixed number, too
			out = append(out, show(L.Get(i)))
		}
	}
	if hasList {
		var elements []string
		for i := -3; i <= len(first)+3; i++ {
			elements = append(elements, show(L.GetTable(args[0], lua.LNumber(i))))
		}
		out = append(out, "{"+strings.Join(elements, " ")+"}")
	}
	return strings.Join(out, " ")
}

func value(L *lua.LState, v any) lua.LValue {
	switch v := v.(type) {
	case bool:
		return lua.LBool(v)
	case float64:
		return lua.LNumber(v)
	case string:
		return lua.LString(v)
	case list:
		t := L.NewTable()
		for i := range v {
			t.RawSetInt(i+1, value(L, v[i]))
		}
		return t
	case dict:
		t := L.NewTable()
		for i := 0; i < len(v); i += 2 {
			t.RawSet(value(L, v[i]), value(L, v[i+1]))
		}
		return t
	case ident:
		return L.GetGlobal(string(v))
	}
	return lua.LNil
}

func show(v lua.LValue) string {
	switch v := v.(type) {
	case lua.LNumber:
		f := float64(v)
		switch {
		case math.IsNaN(f):
			return "nnan"
		case math.IsInf(f, 0):
			return map[bool]string{true: "ninf", false: "n-inf"}[f > 0]
		}
		return "n" + strconv.FormatFloat(f, 'g', 17, 64)
	case lua.LString:
		return "s" + hex.EncodeToString([]byte(v))
	}
	if v == lua.LNil || v.Type() == lua.LTBool {
		return v.String()
	}
	return v.Type().String()
}

// readable turns the hexadecimal words of a line back into text.
func readable(line string) string {
	words := strings.Fields(line)
	for i, w := range words {
		bare := strings.Trim(w, "{}")
		if i > 0 && words[0] == "error" || strings.HasPrefix(bare, "s") {
			if b, err := hex.DecodeString(strings.TrimPrefix(bare, "s")); err == nil {
				words[i] = fmt.Sprintf("%q", b)
			}
		}
	}
	return strings.Join(words, " ")
}
