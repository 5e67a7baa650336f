package bind

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine/event/flowev"
)

// readers read an argument of a kind and return it as text does.
var readers = map[string]func(arg) any{
	"bool":     func(a arg) any { return toBool(a) },
	"u8":       func(a arg) any { return uint64(toUint[uint8](a)) },
	"u64":      func(a arg) any { return toUint[uint64](a) },
	"i64":      func(a arg) any { return toInt(a) },
	"float":    func(a arg) any { return toFloat(a) },
	"string":   func(a arg) any { return toString(a) },
	"bytes":    func(a arg) any { return string(toBytes(a)) },
	"ip":       func(a arg) any { return toIP(a).String() },
	"endpoint": func(a arg) any { return toEndpoint(a).String() },
	"time":     func(a arg) any { return toTime(a) },
	"duration": func(a arg) any { return toDuration(a).String() },
	"size":     func(a arg) any { return toSize(a) },
	"side":     func(a arg) any { return toEnum[flowev.Side](a, flowev.SideNames()).String() },
	"strings":  func(a arg) any { return strings.Join(toStrings(a), "+") },
	"conn":     func(a arg) any { return toObject[flowev.Conn](a, FlowConn).Label() },
	"handler":  func(a arg) any { return toHandler(a).(lua.LValue).String() },
}

// read evaluates a Lua expression and reads its value as the argument of f.
func read(t *testing.T, kind, source string) (got any, err error) {
	t.Helper()
	L := lua.NewState()
	h := newHost(L)
	_, err = run(t, h, L, map[string]lua.LValue{
		"c": h.Object(FlowConn, newConn()),
		"f": L.NewFunction(func(L *lua.LState) int {
			got = readers[kind](funcArg(h, L, "f", 1))
			return 0
		}),
	}, "f("+source+")")
	return got, err
}

func TestArguments(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kind, lua string
		want      any
	}{
		{"bool", "true", true},
		{"u8", "255", uint64(255)},
		{"u64", "2^53", uint64(1 << 53)},
		{"i64", "-5", int64(-5)},
		{"float", "0.25", 0.25},
		{"string", `"x"`, "x"},
		{"string", `1.5`, "1.5"},
		{"bytes", `"a\0b"`, "a\x00b"},
		{"bytes", `""`, ""},
		{"ip", `"::1"`, "::1"},
		{"endpoint", `"[::1]:80"`, "[::1]:80"},
		{"time", `1.5`, int64(15e8)},
		{"duration", `"300ms"`, "300ms"},
		{"duration", `"7d"`, "168h0m0s"},
		{"duration", `2`, "2s"},
		{"size", `"64KiB"`, int64(64 << 10)},
		{"size", `"1.5 MB"`, int64(15e5)},
		{"size", `512`, int64(512)},
		{"side", `"server"`, "server"},
		{"strings", `{"a", "b"}`, "a+b"},
		{"strings", `"a"`, "a"},
		{"strings", `{}`, ""},
		{"conn", `c`, "connection 17"},
		{"handler", `"backup"`, "backup"},
	} {
		got, err := read(t, test.kind, test.lua)
		if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
			t.Errorf("%s %s: %v %s", test.kind, test.lua, err, diff)
		}
	}
}

func TestWrongArguments(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ kind, lua, want string }{
		{"bool", "1", "boolean expected, got number"},
		{"u8", "256", "0 to 255 expected, got 256"},
		{"u64", "2^53 + 2", "0 to 9007199254740992 expected, got 9007199254740994"},
		{"i64", "1/0", "-9007199254740992 to 9007199254740992 expected, got +Inf"},
		{"float", `"1"`, "number expected, got string"},
		{"ip", `"10.0.0"`, `address such as "192.0.2.1" expected, got "10.0.0"`},
		{"ip", `7`, `address such as "192.0.2.1" expected, got number`},
		{"endpoint", `"::1"`, `endpoint such as "192.0.2.1:80" expected, got "::1"`},
		{"time", `"now"`, "time in seconds expected, got string"},
		{"time", `1/0`, "duration in seconds expected, got +Inf"},
		{"duration", `"10"`, `duration such as "10s" expected, got "10"; units are ms, s, m, h and d`},
		{"duration", `{}`, `duration such as "10s" expected, got table`},
		{"duration", `1e12`, "duration in seconds expected, got 1000000000000"},
		{"size", `"64K"`, `size such as "64KiB" expected, got "64K"`},
		{"size", `-1`, "0 to 9007199254740992 expected, got -1"},
		{"side", `"up"`, `none, client, server expected, got "up"`},
		{"side", `1`, "string expected, got number"},
		{"strings", `{1, 2}`, "list of strings expected, but item 1 is a number"},
		{"strings", `{a = "x"}`, "list of strings expected, got a table with names"},
		{"conn", `nil`, "flow.conn expected, got nil"},
		{"handler", `1`, "function or name of a handler expected, got number"},
	} {
		_, err := read(t, test.kind, test.lua)
		want := "bad argument #1 to 'f' (" + test.want + ")\n"
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s %s: got %v, want %s", test.kind, test.lua, err, want)
		}
	}
}

func TestNamedArguments(t *testing.T) {
	t.Parallel()
	L := lua.NewState()
	h := newHost(L)
	var to string
	var n uint16
	var given bool
	f := L.NewFunction(func(L *lua.LState) int {
		call := funcArg(h, L, "f", 1)
		named := call.table("to", "n")
		to = orZero(call.named(named, "to"), toString)
		n, given = optional(call.named(named, "n"), toUint[uint16])
		return 0
	})
	g := map[string]lua.LValue{"f": f}
	if _, err := run(t, h, L, g, `f { to = "x", n = 0 }`); err != nil || to != "x" || n != 0 || !given {
		t.Errorf("f{to, n}: %q %d %v %v", to, n, given, err)
	}
	if _, err := run(t, h, L, g, `f {}`); err != nil || to != "" || given {
		t.Errorf("f{}: %q %v %v", to, given, err)
	}
	for source, want := range map[string]string{
		`f()`:              "bad argument #1 to 'f' (table of named arguments expected, got no value)",
		`f { two = 1 }`:    "unknown argument 'two' to 'f'",
		`f { "x" }`:        "unknown argument '1' to 'f'",
		`f { n = 70000 }`:  "bad argument 'n' to 'f' (0 to 65535 expected, got 70000)",
		`f { n = "a lot"}`: "bad argument 'n' to 'f' (number expected, got string)",
	} {
		if _, err := run(t, h, L, g, source); err == nil || !strings.Contains(err.Error(), want+"\n") {
			t.Errorf("%s: got %v, want %s", source, err, want)
		}
	}
}

func TestAssignment(t *testing.T) {
	t.Parallel()
	L := lua.NewState()
	h := newHost(L)
	f := L.NewFunction(func(L *lua.LState) int {
		refuse(L, "mark", nil)
		toUint[uint8](assigned(h, L, "mark", L.Get(1)))
		return 0
	})
	_, err := run(t, h, L, map[string]lua.LValue{"f": f}, `f(256)`)
	if want := "cannot assign mark: 0 to 255 expected, got 256"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}
