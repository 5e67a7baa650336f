package lib_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/runtime/lua/lib/strlib"
)

// call calls a function of a table and returns its results.
func call(t testing.TB, L *lua.LState, name string, args ...lua.LValue) []lua.LValue {
	t.Helper()
	table, member, _ := strings.Cut(name, ".")
	L.SetTop(0)
	L.Push(L.GetGlobal(table).(*lua.LTable).RawGetString(member))
	for _, a := range args {
		L.Push(a)
	}
	if err := L.PCall(len(args), lua.MultRet, nil); err != nil {
		return []lua.LValue{lua.LNil, lua.LString(err.(*lua.ApiError).Object.String()), lua.LTrue}
	}
	var out []lua.LValue
	for i := 1; i <= L.GetTop(); i++ {
		out = append(out, L.Get(i))
	}
	return out
}

// FuzzJSON compares with encoding/json: what that takes is taken, with the same
// meaning, unless it is one of what is refused on purpose.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,2.5e-3,null,true],"b":{"c":"\u00e4\n"}}`, `[]`, `{}`, `"\ud83d\ude00"`, `-0`, `1e400`, "\"\xff\"", `[[[[1]]]]`, `{"a":1,"a":2}`, `nul`, `"\ud800"`, "[1\n,2 ]", "1E+2",
	} {
		f.Add(s)
	}
	L := state(f, &strlib.Limits{})
	f.Fuzz(func(t *testing.T, text string) {
		opts := L.NewTable()
		opts.RawSetString("null", L.GetGlobal("json").(*lua.LTable).RawGetString("null"))
		got := call(t, L, "json.decode", lua.LString(text), opts)
		refused := len(got) > 1
		var want any
		d := json.NewDecoder(strings.NewReader(text))
		err := d.Decode(&want)
		valid := err == nil && json.Valid([]byte(text)) && utf8.ValidString(text)
		if !valid {
			if !refused {
				t.Fatalf("%q: taken as %s, but %v", text, show(got[0]), err)
			}
			return
		}
		if refused {
			if msg := got[1].String(); !strings.Contains(msg, "surrogate") && !strings.Contains(msg, "nest at most") {
				t.Fatalf("%q: %s", text, msg)
			}
			return
		}
		// Both write it again, and the standard library reads ours.
		again := call(t, L, "json.encode", got[0])
		if len(again) > 1 {
			t.Fatalf("%q: encode: %s", text, again[1])
		}
		var back any
		if err := json.Unmarshal([]byte(again[0].String()), &back); err != nil {
			t.Fatalf("%q: written as %s: %v", text, again[0], err)
		}
		a, _ := json.Marshal(want)
		b, _ := json.Marshal(back)
		// -0 is written as 0, which is the same number.
		if !bytes.Equal(bytes.ReplaceAll(a, []byte("-0"), []byte("0")), bytes.ReplaceAll(b, []byte("-0"), []byte("0"))) {
			t.Fatalf("%q: means %s, read as %s", text, a, b)
		}
	})
}

// FuzzStruct reads any bytes by any format and, where that worked, writes them
// again and reads the same.
func FuzzStruct(f *testing.F) {
	for _, s := range []string{">BHI3I4", "<!8bhilj", "s1s2z", "c3xXi4f d", "=i16I16", "!3i3", "c99999999", "n"} {
		f.Add(s, strings.Repeat("\x01ab\x00\xff", 10), 1)
	}
	L := state(f, &strlib.Limits{MaxString: 1 << 16})
	f.Fuzz(func(t *testing.T, format, data string, from int) {
		got := call(t, L, "struct.unpack", lua.LString(format), lua.LString(data), lua.LNumber(from))
		if len(got) == 0 {
			t.Fatalf("%q: no results", format)
		}
		if got[0] == lua.LNil {
			if len(got) < 2 || got[1] == lua.LString("") {
				t.Fatalf("%q: nil without a message", format)
			}
			return
		}
		next, ok := got[len(got)-1].(lua.LNumber)
		if !ok || int(next) < 1 || int(next) > len(data)+1 {
			t.Fatalf("%q: stopped at %v of %d", format, got[len(got)-1], len(data))
		}
		if from != 1 { // alignment counts from the start of the data
			return
		}
		values := got[:len(got)-1]
		packed := call(t, L, "struct.pack", append([]lua.LValue{lua.LString(format)}, values...)...)
		if packed[0] == lua.LNil {
			t.Fatalf("%q: read %v, but written: %v", format, values, packed)
		}
		again := call(t, L, "struct.unpack", lua.LString(format), packed[0])
		if len(again) != len(got) {
			t.Fatalf("%q: read %v, then %v", format, got, again)
		}
		for i := range values {
			if show(again[i]) != show(values[i]) {
				t.Fatalf("%q: value %d: %s, then %s", format, i+1, show(values[i]), show(again[i]))
			}
		}
	})
}

// FuzzURL reads any text in every way; what was escaped comes back, and what a
// query says survives writing it.
func FuzzURL(f *testing.F) {
	for _, s := range []string{"http://u:p@h:80/p?q=1#f", "a=1&b=%20&a", "%zz", "sip:a@b", "//[::1]:x", "\x00", "a+b%2"} {
		f.Add(s)
	}
	L := state(f, &strlib.Limits{})
	f.Fuzz(func(t *testing.T, text string) {
		call(t, L, "url.parse", lua.LString(text))
		escaped := call(t, L, "url.encode", lua.LString(text))[0]
		if back := call(t, L, "url.decode", escaped)[0]; back != lua.LString(text) {
			t.Fatalf("%q: escaped %v, back %v", text, escaped, back)
		}
		query := call(t, L, "url.query", lua.LString(text), lua.LTrue)
		if query[0] == lua.LNil {
			return
		}
		written := call(t, L, "url.to_query", query[0])
		again := call(t, L, "url.query", written[0], lua.LTrue)
		if show(again[0]) != show(query[0]) {
			t.Fatalf("%q: read %s, written %v, read %s", text, show(query[0]), written[0], show(again[0]))
		}
	})
}

// FuzzBytes runs the tables that read bytes of others and wants each round trip
// to hold.
func FuzzBytes(f *testing.F) {
	for _, s := range []string{"", "foo", "\xff\xfe", "h\xc3\xa4y", "Zg==", "10.0.0.0/8", "::ffff:1.2.3.4"} {
		f.Add(s)
	}
	L := state(f, &strlib.Limits{})
	f.Fuzz(func(t *testing.T, data string) {
		for _, alphabet := range []lua.LValue{lua.LNil, lua.LString("url")} {
			text := call(t, L, "base64.encode", lua.LString(data), alphabet)[0]
			if back := call(t, L, "base64.decode", text, alphabet)[0]; back != lua.LString(data) {
				t.Fatalf("%q: base64 %v, back %v", data, text, back)
			}
		}
		call(t, L, "base64.decode", lua.LString(data))
		n := call(t, L, "utf8.len", lua.LString(data))
		if n[0] == lua.LNil && utf8.ValidString(data) {
			t.Fatalf("%q: not UTF-8 at %v?", data, n)
		}
		if count, ok := n[0].(lua.LNumber); ok && utf8.ValidString(data) && int(count) != utf8.RuneCountInString(data) {
			t.Fatalf("%q: %v code points, want %d", data, count, utf8.RuneCountInString(data))
		}
		for _, fn := range []string{"ip.parse", "ip.network", "ip.range", "ip.from_bytes", "utf8.codepoint", "os.date"} {
			call(t, L, fn, lua.LString(data))
		}
	})
}

// lua51 runs a program under PUC Lua.
func lua51(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath("lua5.1")
	if err != nil {
		if os.Getenv("HOOKD_CI") == "1" {
			t.Fatal("no lua5.1 to compare with")
		}
		t.Skip("no lua5.1 to compare with")
	}
	file := filepath.Join(t.TempDir(), "dates.lua")
	if err := os.WriteFile(file, []byte(program), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, file)
	cmd.Env = []string{"TZ=UTC", "LC_ALL=C"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("lua5.1: %v\n%s", err, out)
	}
	return string(out)
}

// TestDatesAsLua51 compares os.date and os.time with PUC Lua in the zone UTC,
// over days around every turn that weeks and years take.
func TestDatesAsLua51(t *testing.T) {
	t.Parallel()
	const program = `
local formats = "%a|%A|%b|%B|%c|%C|%d|%D|%e|%F|%g|%G|%h|%H|%I|%j|%m|%M|%n|%p|%r|%R|%s|%S|%t|%T|%u|%U|%V|%w|%W|%x|%X|%y|%Y|%z|%%"
local out = {}
local function line(t)
  local d = os.date("*t", t)
  out[#out + 1] = t .. "|" .. os.date(formats, t) .. "|" .. os.time(d) .. "|" .. d.wday .. "|" .. d.yday .. "|" .. tostring(d.isdst)
end
for year = 1965, 2045 do
  for _, day in ipairs { -3, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 58, 59, 60, 61, 180 } do
    line(os.time { year = year, month = 1, day = day, hour = day % 24, min = 59, sec = year % 60 })
  end
end
for _, t in ipairs { -30610224000, 0, -2, 253402300799, 951782399, 2^31, 2^31 - 1 } do line(t) end
for _, d in ipairs {
  { year = 2026, month = 1, day = 1 }, { year = 2026, month = 13, day = 32 }, { year = 2026, month = -5, day = 0, hour = -30 },
  { year = "2026", month = "2", day = "30", hour = 24, min = 61, sec = 3601 }, { year = 1900, month = 2, day = 29 },
} do out[#out + 1] = os.time(d) .. " " .. os.date("!%c", os.time(d)) end
out[#out + 1] = os.difftime(10, 3)
return out`
	want := lua51(t, "local function f() "+program+" end print(table.concat(f(), '\\n'))")
	L := state(t, &strlib.Limits{})
	L.SetGlobal("ipairs", L.NewFunction(func(L *lua.LState) int {
		list, i := L.CheckTable(1), 0
		L.Push(L.NewFunction(func(L *lua.LState) int {
			if i++; i > list.Len() {
				return 0
			}
			L.Push(lua.LNumber(i))
			L.Push(list.RawGetInt(i))
			return 2
		}))
		return 1
	}))
	if err := L.DoString(program); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	list := L.Get(-1).(*lua.LTable)
	for i := 1; i <= list.Len(); i++ {
		got.WriteString(list.RawGetInt(i).String() + "\n")
	}
	a, b := strings.Split(want, "\n"), strings.Split(got.String(), "\n")
	if len(a) < 1000 {
		t.Fatalf("%d lines to compare", len(a))
	}
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			t.Errorf("line %d: lua5.1 %q\nhookd %q", i+1, a[i], b[min(i, len(b)-1)])
			break
		}
	}
}
