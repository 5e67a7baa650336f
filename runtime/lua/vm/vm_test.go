package vm

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

// load compiles src as the chunk t.lua with .. bounded, and nothing else of
// what is done to scripts.
func load(t testing.TB, v *VM, src string) *glua.LFunction {
	t.Helper()
	chunk, err := parse.Parse(strings.NewReader(src), "t.lua")
	if err != nil {
		t.Fatal(err)
	}
	BoundConcat(chunk)
	proto, err := glua.Compile(chunk, "t.lua")
	if err != nil {
		t.Fatal(err)
	}
	return v.State().NewFunctionFromProto(proto)
}

// run runs src and returns what it printed and how it failed.
func run(t testing.TB, v *VM, src string) error {
	t.Helper()
	L := v.Begin(200_000, "handler")
	L.Push(load(t, v, src))
	err := v.Call(0, 0)
	v.End()
	return err
}

func machine(out *strings.Builder) *VM {
	return New(Config{Chunk: "t.lua", Print: func(_ *glua.LState, line string) error {
		out.WriteString(line + "\n")
		return nil
	}})
}

func TestCaughtErrorsLeaveLocalsAndClosuresTogether(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	v := machine(&out)
	err := run(t, v, `
		local x = 1
		local function inc() x = x + 1 end
		pcall(error, "a"); inc(); print(x)
		pcall(function() error("b") end); inc(); print(x)
		pcall(function() local t; t.x = 1 end); inc(); print(x)
		xpcall(function() error("c") end, function(e) inc() return e end); inc(); print(x)
		pcall(coroutine.wrap(function() error("d") end)); inc(); print(x)
		coroutine.resume(coroutine.create(function() inc() error("e") end)); inc(); print(x)
	`)
	if err != nil {
		t.Fatal(err)
	}
	if want := "2\n3\n4\n6\n7\n9\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}

func TestFailure(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	v := machine(&out)
	for _, tt := range []struct {
		name, src string
		want      Failure
	}{
		{"position", "local x = 1\nerror('here')", Failure{Chunk: "t.lua", Message: "here", Line: 2, Frames: []Frame{{"main chunk", "t.lua", 2}}}},
		{"no position in the text", "local x = 1\nerror('here', 0)", Failure{Chunk: "t.lua", Message: "here", Line: 2, Frames: []Frame{{"main chunk", "t.lua", 2}}}},
		{"position of the caller", "local function f()\nerror('here', 2) end\nf()", Failure{Chunk: "t.lua", Message: "here", Line: 3, Frames: []Frame{{"function 'f'", "t.lua", 2}, {"main chunk", "t.lua", 3}}}},
		{"caught and raised again", "local ok, e = pcall(error, 'x')\nerror(e)", Failure{Chunk: "t.lua", Message: "x", Line: 2, Frames: []Frame{{"main chunk", "t.lua", 2}}}},
		{"out of a coroutine", "coroutine.wrap(function()\nerror('in it') end)()", Failure{Chunk: "t.lua", Message: "in it", Line: 2, Frames: []Frame{{"main chunk", "t.lua", 1}}}},
		{"a call in a metamethod", "local t = setmetatable({}, { __index = function(t, k)\nerror(k) end })\nlocal x = t.name", Failure{Chunk: "t.lua", Message: "name", Line: 2, Frames: []Frame{{"function <t.lua:1>", "t.lua", 2}, {"main chunk", "t.lua", 3}}}},
		{"number", "error(42)", Failure{Chunk: "t.lua", Message: "42", Line: 1, Frames: []Frame{{"main chunk", "t.lua", 1}}}},
	} {
		err := run(t, v, tt.src)
		var f *Failure
		if !errors.As(err, &f) {
			t.Errorf("%s: error %v", tt.name, err)
			continue
		}
		if diff := cmp.Diff(tt.want, *f); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestTracebackIsShort(t *testing.T) {
	t.Parallel()
	v := machine(&strings.Builder{})
	err := run(t, v, "local function f(n)\nif n == 0 then error('bottom') end\nlocal x = f(n - 1)\nend\nf(100)")
	var f *Failure
	if !errors.As(err, &f) {
		t.Fatal(err)
	}
	text := Traceback(f.Frames)
	if n := strings.Count(text, "\n") + 1; n != maxFrames {
		t.Errorf("%d frames, want %d", n, maxFrames)
	}
	if !strings.HasPrefix(text, "t.lua:2: in ") || !strings.HasSuffix(text, "t.lua:5: in main chunk") {
		t.Errorf("traceback:\n%s", text)
	}
}

func TestTimeLimit(t *testing.T) {
	t.Parallel()
	v := machine(&strings.Builder{})
	L := v.BeginWithin(1<<40, "the top level", 20*time.Millisecond)
	L.Push(load(t, v, "while true do pcall(function() while true do end end) end"))
	err := v.Call(0, 0)
	v.End()
	if want := "line 1: the top level took longer than 20ms"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	L = v.BeginWithin(25_000, "the top level", time.Hour)
	L.Push(load(t, v, "while true do end"))
	err = v.Call(0, 0)
	v.End()
	if want := "line 1: the top level went over its budget of 25000 instructions"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	L = v.BeginWithin(25_000, "the top level", time.Hour)
	L.Push(load(t, v, "for i = 1, 10000 do end"))
	if err := v.Call(0, 0); err != nil {
		t.Error(err)
	}
	v.End()
}

func TestBudgetIsExact(t *testing.T) {
	t.Parallel()
	v := machine(&strings.Builder{})
	fn := load(t, v, "for i = 1, 100 do end")
	least := 0
	for budget := 1; budget < 1000; budget++ {
		L := v.Begin(budget, "handler")
		L.Push(fn)
		err := v.Call(0, 0)
		v.End()
		switch {
		case err == nil && least == 0:
			least = budget
		case err != nil && least != 0:
			t.Fatalf("a budget of %d was enough and %d is not: %v", least, budget, err)
		}
	}
	if least < 100 || least > 110 {
		t.Errorf("a loop of 100 rounds takes %d instructions", least)
	}
}

func TestStringsAreBounded(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	v := New(Config{Chunk: "t.lua", Limits: Limits{MaxString: 100}, Print: func(_ *glua.LState, line string) error {
		out.WriteString(line + "\n")
		return nil
	}})
	if err := run(t, v, `
		local s = ("x"):rep(60)
		for _, f in ipairs {
			function() return s .. s end,
			function() return s .. "y" .. s end,
			function() return setmetatable({}, { __concat = function() return s end }) .. s .. s end,
			function() return table.concat { s, s } end,
			function() return s:gsub("x", "xx") end,
			function() return ("%s%s"):format(s, s) end,
		} do
			print((pcall(f)))
		end
		print(#(s .. ("y"):rep(40)))
	`); err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat("false\n", 6) + "100\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}

func TestConcatKeepsLinesAndOrder(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	v := machine(&out)
	chain := strings.Repeat(`f "x" .. `, 150) + `f "end"`
	err := run(t, v, `local n = 0
		local function f(s) n = n + 1 return s .. n .. " " end
		local function two() return "a", "b" end
		print(f "p" .. f "q" .. f "r")
		print(#(`+chain+`), n)
		print(select("#", "x" .. two(), two() .. "x", ("x" .. two())))
		local t = { "x" .. two() }
		print(#t, t[1], (function(...) return "x" .. ... end)("y", "z"))
		for i = 1, 2 do print("i" .. i) end
		local s = "a" ..
			"b" ..
			nil
	`)
	want := "p1 q2 r3 \n655\t154\n3\n1\txa\txy\ni1\ni2\n"
	if out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
	if got, want := err.Error(), "line 10: attempt to concatenate a nil value"; got != want {
		t.Errorf("error %q, want %q", got, want)
	}
}

func TestTableTooLongForAList(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	v := machine(&out)
	L := v.Begin(100_000_000, "handler")
	L.Push(load(t, v, `local t = {} for i = 1, 1048574 do t[i] = i end print(#t, pcall(table.insert, t, 1), pcall(table.insert, t, 1))`))
	if err := v.Call(0, 0); err != nil {
		t.Fatal(err)
	}
	v.End()
	if got := out.String(); !strings.HasPrefix(got, "1048574\ttrue\tfalse\t") || !strings.Contains(got, "a list holds at most 1048575 elements") {
		t.Errorf("printed %q", got)
	}
}
