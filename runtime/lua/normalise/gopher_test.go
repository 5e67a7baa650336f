package normalise

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/hookd/hookd/runtime/lua/source"
	lua "github.com/yuin/gopher-lua"
)

// budget is a context that ends after a number of instructions: gopher-lua asks
// it before each. A wrongly compiled program may never end by itself.
type budget struct {
	context.Context
	left int
}

var errBudget = errors.New("budget")

func (b *budget) Done() <-chan struct{} {
	if b.left--; b.left > 0 {
		return nil
	}
	done := make(chan struct{})
	close(done)
	return done
}

func (b *budget) Err() error { return errBudget }

// compile compiles a program without the rewrites in skip.
func compile(src string, skip Rewrites) (*lua.FunctionProto, error) {
	chunk, list := source.Parse("program", []byte(src))
	if chunk == nil {
		return nil, list
	}
	if skip == 0 {
		proto, list := Compile(chunk, nil)
		return proto, list.Err()
	}
	return lua.Compile(Chunk(chunk.Stmts, skip), "program")
}

// wrap is coroutine.wrap by way of coroutine.create, which has a budget.
const wrap = `
local create, resume = coroutine.create, coroutine.resume
local function pass(ok, ...)
  if not ok then error((...), 0) end
  return ...
end
function coroutine.wrap(f)
  local co = create(f)
  return function(...) return pass(resume(co, ...)) end
end
`

// machine runs programs in gopher-lua as driver does in lua5.1.
type machine struct {
	prelude *lua.FunctionProto
}

func newMachine(t testing.TB) *machine {
	t.Helper()
	proto, err := compile(prelude+wrap, All)
	if err != nil {
		t.Fatal(err)
	}
	return &machine{proto}
}

// run returns what a program prints.
func (m *machine) run(src string, skip Rewrites) (printed string) {
	proto, err := compile(src, skip)
	if err != nil {
		return "does not compile: " + err.Error()
	}
	return m.execute(proto)
}

func (m *machine) execute(proto *lua.FunctionProto) (printed string) {
	var out strings.Builder
	defer func() {
		if p := recover(); p != nil { // PCall itself can panic after wrong code
			printed = out.String() + "panicked"
		}
	}()
	state := lua.NewState(lua.Options{SkipOpenLibs: true, RegistrySize: 1 << 11, RegistryMaxSize: 1 << 17, RegistryGrowStep: 1 << 11})
	defer state.Close()
	for _, open := range []lua.LGFunction{lua.OpenBase, lua.OpenTable, lua.OpenString, lua.OpenMath, lua.OpenCoroutine} {
		state.Push(state.NewFunction(open))
		state.Call(0, 0)
	}
	spent := false
	state.SetGlobal("emit", state.NewFunction(func(s *lua.LState) int {
		text := s.CheckString(1)
		if out.Len()+len(text) > outputLimit {
			spent = true
			s.RaiseError("output")
		}
		out.WriteString(text)
		return 0
	}))
	// The limit is above lua5.1's, which has fewer instructions for the same.
	limit := &budget{context.Background(), 5 * instructions}
	state.SetGlobal("pcall", state.NewFunction(protected(limit)))
	coroutines := state.GetGlobal("coroutine").(*lua.LTable)
	coroutines.RawSetString("create", state.NewFunction(limited(limit, coroutines.RawGetString("create"))))
	state.Push(state.NewFunctionFromProto(m.prelude))
	state.Call(0, 0)
	state.SetContext(limit)
	state.Push(state.GetGlobal("E"))
	state.Push(state.GetGlobal("pcall"))
	state.Push(state.NewFunctionFromProto(proto))
	state.Call(1, lua.MultRet)
	state.RemoveContext()
	state.Call(state.GetTop()-1, 2)
	switch {
	case spent || limit.left <= 0:
		return over
	case !lua.LVAsBool(state.Get(1)):
		return out.String() + "failed: '" + state.Get(2).String() + "'"
	}
	return out.String()
}

// limited is coroutine.create for coroutines that share the budget: gopher-lua
// derives a context for each from its creator's, and the budget is none to that.
func limited(limit context.Context, create lua.LValue) lua.LGFunction {
	return func(s *lua.LState) int {
		fn := s.CheckFunction(1)
		outer := s.RemoveContext()
		s.Push(create)
		s.Push(fn)
		s.Call(1, 1)
		if outer != nil {
			s.SetContext(outer)
		}
		s.Get(-1).(*lua.LState).SetContext(limit)
		return 1
	}
}

// protected is pcall by way of a coroutine. gopher-lua's own closes the upvalues
// of every function that is running, not only of those that an error ends, so
// after it a variable and the closures over it part ways. That is the virtual
// machine's doing; no rewrite reaches it.
func protected(limit context.Context) lua.LGFunction {
	return func(s *lua.LState) int {
		fn, ok := s.Get(1).(*lua.LFunction)
		if !ok {
			s.Push(lua.LFalse)
			s.Push(lua.LString("attempt to call a value"))
			return 2
		}
		args := make([]lua.LValue, 0, s.GetTop())
		for i := 2; i <= s.GetTop(); i++ {
			args = append(args, s.Get(i))
		}
		outer := s.RemoveContext()
		thread, _ := s.NewThread()
		if outer != nil {
			s.SetContext(outer)
		}
		thread.SetContext(limit)
		_, err, values := s.Resume(thread, fn, args...)
		s.SetTop(0)
		if err != nil {
			s.Push(lua.LFalse)
			var api *lua.ApiError
			if errors.As(err, &api) && api.Object != nil {
				s.Push(api.Object)
			} else {
				s.Push(lua.LString(err.Error()))
			}
			return 2
		}
		s.Push(lua.LTrue)
		for _, v := range values {
			s.Push(v)
		}
		return 1 + len(values)
	}
}
