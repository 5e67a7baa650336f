package vm

import (
	"fmt"
	"strings"
	"sync"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

// preludeChunk names the few functions of the library that are written in Lua;
// they stand on one line, so that their position can be told from a script's.
const (
	preludeChunk    = "[lua]"
	preludePosition = preludeChunk + ":1: "
)

// A Go function must be called by Lua code where its yield or its error has to
// leave the calls around it as they are. Each of these is a function that gets Go
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

// preludeProtos are those functions compiled, the same for every machine.
var preludeProtos = sync.OnceValue(func() map[string]*glua.FunctionProto {
	protos := map[string]*glua.FunctionProto{}
	for _, code := range []string{guardLoop, yieldStub, goBody} {
		chunk, err := parse.Parse(strings.NewReader(code), preludeChunk)
		if err == nil {
			protos[code], err = glua.Compile(chunk, preludeChunk)
		}
		if err != nil {
			// The code is ours, so this is a defect of the build.
			panic(fmt.Sprintf("vm: compile %q: %v", code, err))
		}
	}
	return protos
})

// prelude runs such a function with its arguments and returns the function it makes.
func (v *VM) prelude(code string, args ...glua.LValue) *glua.LFunction {
	L := v.main
	L.Push(L.NewFunctionFromProto(preludeProtos()[code]))
	for _, a := range args {
		L.Push(a)
	}
	v.budget.reset(1000, "prelude")
	L.Call(len(args), 1)
	fn := L.Get(-1).(*glua.LFunction)
	L.SetTop(0)
	return fn
}
