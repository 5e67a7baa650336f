package vm

import (
	"fmt"
	"strings"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

// helperChunk names the few functions of the library that are written in Lua;
// they stand on one line, so that their position can be told from a script's.
const (
	helperChunk    = "[lua]"
	helperPosition = helperChunk + ":1: "
)

// A Go function must be called by Lua code where its yield or its error has to
// leave the calls around it as they are. Each helper is a function that gets Go
// functions and returns the one that is used.
const (
	// guardLoop runs one protected call after the other: take returns the
	// function and its arguments, yield hands the results over.
	guardLoop = `local take, yield = ... local function call(f, ...) return f(...) end return function() while true do yield(call(take())) end end`
	// yieldStub keeps the yield of a tail call, which gopher-lua loses.
	yieldStub = `local yield = ... local function pass(...) return ... end return function(...) return pass(yield(...)) end`
	// goBody makes the body of a coroutine of a Go function, whose results gopher-lua
	// loses.
	goBody = `return function(f) return function(...) return f(...) end end`
)

// helper runs the code of a helper with its arguments and returns what it made.
// The code is ours, so a failure is a defect of the build.
func (v *VM) helper(code string, args ...glua.LValue) *glua.LFunction {
	fn, err := v.runHelper(code, args)
	if err != nil {
		panic(fmt.Sprintf("vm: helper %q: %v", code, err))
	}
	return fn
}

func (v *VM) runHelper(code string, args []glua.LValue) (*glua.LFunction, error) {
	chunk, err := parse.Parse(strings.NewReader(code), helperChunk)
	if err != nil {
		return nil, err
	}
	proto, err := glua.Compile(chunk, helperChunk)
	if err != nil {
		return nil, err
	}
	L, _ := v.root.NewThread()
	L.Push(L.NewFunctionFromProto(proto))
	for _, a := range args {
		L.Push(a)
	}
	L.Call(len(args), 1)
	fn, ok := L.Get(-1).(*glua.LFunction)
	if !ok {
		return nil, fmt.Errorf("returned a %s", L.Get(-1).Type())
	}
	return fn, nil
}
