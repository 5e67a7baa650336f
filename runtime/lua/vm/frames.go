package vm

import (
	"reflect"
	"sync"

	glua "github.com/yuin/gopher-lua"
)

// gopher-lua keeps to itself how its calls are entered and what they are to return.
// What is read of it here is never written. Where a version of it keeps that
// otherwise, nothing is parked.

// fields are the places of what is read.
type fields struct {
	current             int // of a thread: its innermost call
	fn, parent, pc, nrt int // of a call
	goes, proto         int // of a function
	code                int // of its prototype
}

// places finds them; ok is false where they are not what they were.
var places = sync.OnceValues(func() (f fields, ok bool) {
	ok = true
	find := func(of reflect.Type, name string, kind reflect.Kind) int {
		field, has := of.FieldByName(name)
		ok = ok && has && len(field.Index) == 1 && field.Type.Kind() == kind
		if !ok {
			return 0
		}
		return field.Index[0]
	}
	thread, function := reflect.TypeFor[glua.LState](), reflect.TypeFor[glua.LFunction]()
	f.current = find(thread, "currentFrame", reflect.Pointer)
	if !ok {
		return f, false
	}
	call := thread.Field(f.current).Type.Elem()
	if call.Kind() != reflect.Struct {
		return f, false
	}
	f.fn, f.parent = find(call, "Fn", reflect.Pointer), find(call, "Parent", reflect.Pointer)
	f.pc, f.nrt = find(call, "Pc", reflect.Int), find(call, "NRet", reflect.Int)
	f.goes, f.proto = find(function, "IsG", reflect.Bool), find(function, "Proto", reflect.Pointer)
	f.code = find(reflect.TypeFor[glua.FunctionProto](), "Code", reflect.Slice)
	return f, ok && call.Field(f.fn).Type == reflect.TypeFor[*glua.LFunction]() &&
		call.Field(f.parent).Type == reflect.PointerTo(call)
})

// maxLooked is how many calls of a thread are looked at.
const maxLooked = 100

// onlyLua reports whether all calls on a thread that a Go function runs on are those
// of Lua functions by Lua functions, and the Go function's by one. gopher-lua runs
// them in one loop; what the loop calls, as metamethods and iterators, runs in a
// further one, on Go's stack.
func onlyLua(L *glua.LState) bool {
	f, ok := places()
	if !ok {
		return false
	}
	call := reflect.ValueOf(L).Elem().Field(f.current)
	for range maxLooked {
		if call.IsNil() {
			return false
		}
		caller := call.Elem().Field(f.parent)
		if caller.IsNil() {
			return true // the thread began with it
		}
		fn := caller.Elem().Field(f.fn).Elem()
		if fn.Field(f.goes).Bool() {
			return false
		}
		code, pc := fn.Field(f.proto).Elem().Field(f.code), caller.Elem().Field(f.pc).Int()
		switch code.Index(int(pc)-1).Uint() >> opcodeShift {
		case uint64(glua.OP_CALL), uint64(glua.OP_TAILCALL):
		default:
			return false
		}
		call = caller
	}
	return false
}

// opcodeShift is how many bits of an instruction its operands take.
const opcodeShift = 26

// wanted returns how many results the Go function that runs on L is to have, or
// [glua.MultRet]: after a yield its caller takes as many values as it gets for what it
// asked for.
func wanted(L *glua.LState) int32 {
	f, _ := places()
	return int32(reflect.ValueOf(L).Elem().Field(f.current).Elem().Field(f.nrt).Int())
}

// over reports whether nothing runs on a thread that has begun: what is returned to
// it are its results.
func over(th *glua.LState) bool {
	if f, ok := places(); ok {
		return reflect.ValueOf(th).Elem().Field(f.current).IsNil()
	}
	_, running := th.GetStack(0)
	return !running
}
