package lib_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/runtime/lua/lib"
	"github.com/hookd/hookd/runtime/lua/lib/strlib"
)

// now is the time of the tests: 2026-03-01 06:05:09.5 UTC, a Sunday.
const now = int64(1_772_345_109_500_000_000)

// state returns a state with all tables.
func state(t testing.TB, lim *strlib.Limits) *lua.LState {
	t.Helper()
	L := lua.NewState(lua.Options{SkipOpenLibs: true})
	t.Cleanup(L.Close)
	L.SetGlobal("tostring", L.NewFunction(strlib.ToString))
	L.SetGlobal("select", L.NewFunction(func(L *lua.LState) int { return L.GetTop() - L.CheckInt(1) }))
	strlib.Open(L, lim)
	strlib.OpenTable(L, lim)
	cfg := lib.Config{Limits: lim, Clock: func() int64 { return now }, Plain: func(ud *lua.LUserData) (any, error) {
		if ud.Value == nil {
			return nil, errors.New("lent: copy the fields you need")
		}
		return ud.Value, nil
	}}
	for _, name := range lib.Names() {
		mod := L.NewTable()
		for member, v := range lib.Open(L, name, cfg) {
			mod.RawSetString(member, v)
		}
		L.SetGlobal(name, mod)
	}
	record := L.NewUserData()
	record.Value = []event.KV{{Key: "n", Value: 1.0}, {Key: "list", Value: []any{"a", true, nil}}}
	L.SetGlobal("record", record)
	L.SetGlobal("lent", L.NewUserData())
	return L
}

// eval runs an expression and writes what it returned, or "! message".
func eval(L *lua.LState, expr string) string {
	fn, err := L.Load(strings.NewReader("return "+expr), "line")
	if err != nil {
		return "! " + err.Error()
	}
	L.SetTop(0)
	L.Push(fn)
	if err := L.PCall(0, lua.MultRet, nil); err != nil {
		var api *lua.ApiError
		if errors.As(err, &api) {
			return "! " + strings.TrimPrefix(api.Object.String(), "line:1: ")
		}
		return "! " + err.Error()
	}
	var out []string
	for i := 1; i <= L.GetTop(); i++ {
		out = append(out, show(L.Get(i)))
	}
	return strings.Join(out, ", ")
}

// show writes a value; tables in the order of Next.
func show(v lua.LValue) string {
	switch v := v.(type) {
	case lua.LString:
		return strconv.QuoteToASCII(string(v))
	case lua.LNumber:
		return strlib.NumberString(float64(v))
	case *lua.LTable:
		var parts []string
		for k, x := v.Next(lua.LNil); k != lua.LNil; k, x = v.Next(k) {
			if k == lua.LNumber(len(parts)+1) {
				parts = append(parts, show(x))
			} else {
				parts = append(parts, fmt.Sprintf("%s=%s", k, show(x)))
			}
		}
		return "{" + strings.Join(parts, " ") + "}"
	case *lua.LFunction, *lua.LUserData:
		return v.Type().String()
	}
	return v.String()
}

// TestTables runs the lines "expression --> results" of testdata.
func TestTables(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) != len(lib.Names()) {
		t.Fatalf("%d files for %d tables: %v", len(files), len(lib.Names()), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			L := state(t, &strlib.Limits{MaxString: 4096})
			for i, line := range strings.Split(string(text), "\n") {
				if line == "" || strings.HasPrefix(line, "#") {
					continue
				}
				expr, want, ok := strings.Cut(line, " --> ")
				if !ok {
					t.Fatalf("%s:%d: no -->", file, i+1)
				}
				if got := eval(L, expr); got != want {
					t.Errorf("%s:%d: %s\n got %s\nwant %s", file, i+1, expr, got, want)
				}
			}
		})
	}
}

// TestDeclaredHaveBodies compares what is declared with what is there.
func TestDeclaredHaveBodies(t *testing.T) {
	t.Parallel()
	var declared, there []string
	for _, f := range catalogue.All() {
		for _, fn := range f.Functions {
			if fn.Native && !fn.Effects && !strings.HasSuffix(fn.Name, ".listen") && fn.Name != "dispatcher.set" { // effects and declaring are not the library's
				declared = append(declared, fn.Name)
			}
		}
		for _, v := range f.Values {
			declared = append(declared, v.Name)
		}
	}
	L := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer L.Close()
	for _, table := range lib.Names() {
		for name := range lib.Open(L, table, lib.Config{Limits: &strlib.Limits{}}) {
			there = append(there, table+"."+name)
		}
	}
	slices.Sort(declared)
	slices.Sort(there)
	if diff := cmp.Diff(declared, there); diff != "" {
		t.Errorf("declared (-) and there (+):\n%s", diff)
	}
	if lib.Open(L, "no such table", lib.Config{}) != nil {
		t.Error("a table that is not there was opened")
	}
}

// TestBudgets gives each dear call a small budget and wants it stopped, and a
// long result refused.
func TestBudgets(t *testing.T) {
	t.Parallel()
	spent := errors.New("budget used up")
	for _, expr := range []string{
		`json.decode("[" .. ("[],"):rep(10000) .. "1]")`,
		`json.decode("[" .. ("{},"):rep(1000) .. "1]")`,
		`json.decode('"' .. ("x"):rep(100000) .. '"')`,
		`json.encode(big)`,
		`base64.encode(("x"):rep(100000))`,
		`base64.decode(("x"):rep(100000))`,
		`hash.md5(("x"):rep(100000))`,
		`hash.sha512(("x"):rep(100000))`,
		`hash.hmac("sha1", ("x"):rep(100000), "")`,
		`hash.crc32(("x"):rep(800000))`,
		`struct.pack(("x"):rep(10000))`,
		`struct.pack(("c1000"):rep(1000), unpack(big))`,
		`struct.size((" "):rep(10000))`,
		`struct.unpack(("x"):rep(10000), ("x"):rep(10000))`,
		`url.encode(("x"):rep(100000))`,
		`url.decode(("x"):rep(100000))`,
		`url.parse(("x"):rep(100000))`,
		`url.query(("x&"):rep(10000))`,
		`url.to_query(big)`,
		`utf8.len(("x"):rep(100000))`,
		`utf8.codepoint(("x"):rep(100000), 1, 90000)`,
		`utf8.offset(("x"):rep(800000), 700000)`,
		`os.date(("x"):rep(100000))`,
		`ip.in_cidr("10.0.0.1", nets)`,
	} {
		left := 1 << 62
		lim := &strlib.Limits{Steps: func(n int) error {
			if left -= n; left < 0 {
				return spent
			}
			return nil
		}}
		L := state(t, lim)
		big, nets := L.NewTable(), L.NewTable()
		for range 5000 {
			big.Append(lua.LString("value"))
			nets.Append(lua.LString("192.0.2.0/24"))
		}
		L.SetGlobal("big", big)
		L.SetGlobal("nets", nets)
		// What makes the arguments has a budget of its own.
		before := 1 << 62
		left = before
		args := strings.Index(expr, "(")
		eval(L, "select(0, "+expr[args+1:])
		arguments := before - left
		left = arguments + 20_000
		if got := eval(L, expr); !strings.Contains(got, spent.Error()) {
			t.Errorf("%s: went on beyond its budget: %.80s (arguments %d)", expr, got, arguments)
		}
	}
	L := state(t, &strlib.Limits{MaxString: 1000})
	for _, expr := range []string{
		`json.encode { ("x"):rep(600), ("x"):rep(600) }`, `json.encode(("\1"):rep(500))`, `base64.encode(("x"):rep(800))`,
		`url.encode(("\1"):rep(500))`, `url.to_query { a = ("\1"):rep(500) }`, `struct.pack("c1001", "")`, `struct.pack("s!8Xlx", ("x"):rep(995))`,
		`os.date(("%c"):rep(100))`,
	} {
		if got := eval(L, expr); !strings.Contains(got, "exceeds the limit of 1000") {
			t.Errorf("%s: %.80s", expr, got)
		}
	}
}
