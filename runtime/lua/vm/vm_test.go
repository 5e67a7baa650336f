package vm

import (
	"strings"
	"testing"

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
