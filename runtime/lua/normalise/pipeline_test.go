package normalise

import (
	"os"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/runtime/lua/counted"
	"github.com/hookd/hookd/runtime/lua/source"
	"github.com/hookd/hookd/runtime/lua/vm"
)

// TestMain makes a machine of scripts before any test runs one of gopher-lua's own beside
// it: the first one sets what all of the process have in common.
func TestMain(m *testing.M) {
	vm.New(vm.Config{Chunk: "first"}).Close()
	os.Exit(m.Run())
}

// whole compiles a program as scripts are: with operators counted too.
func whole(t testing.TB, src string) *lua.FunctionProto {
	t.Helper()
	chunk, list := source.Parse("program", []byte(src))
	if chunk == nil {
		t.Fatalf("%v in\n%s", list, src)
	}
	counted.Chunk(chunk.Stmts, func(*ast.FunctionExpr) bool { return false })
	vm.BoundConcat(chunk.Stmts)
	proto, list := Compile(chunk, nil)
	if proto == nil {
		t.Fatalf("%v in\n%s", list, src)
	}
	return proto
}

// scripts runs programs in the machine that scripts run in.
type scripts struct {
	t       testing.TB
	prelude *lua.FunctionProto
}

func newScripts(t testing.TB) *scripts {
	return &scripts{t, whole(t, prelude)}
}

// run returns what a program prints.
func (s *scripts) run(src string) string {
	var out strings.Builder
	v := vm.New(vm.Config{Chunk: "program"})
	defer v.Close()
	spent := false
	v.Globals().RawSetString("emit", v.State().NewFunction(func(L *lua.LState) int {
		text := L.CheckString(1)
		if out.Len()+len(text) > outputLimit {
			spent = true
			L.RaiseError("output")
		}
		out.WriteString(text)
		return 0
	}))
	call := func(push func(L *lua.LState) int) error {
		L := v.Begin(20*instructions, "program")
		defer v.End()
		return v.Call(push(L), 2)
	}
	proto := func(p *lua.FunctionProto) func(L *lua.LState) int {
		return func(L *lua.LState) int {
			L.Push(v.State().NewFunctionFromProto(p))
			return 0
		}
	}
	if err := call(proto(s.prelude)); err != nil {
		s.t.Fatal(err)
	}
	result := ""
	err := call(func(L *lua.LState) int {
		v.Globals().RawSetString("run", v.State().NewFunctionFromProto(whole(s.t, "local program, result = ... result(E(pcall(program)))")))
		L.Push(v.Globals().RawGetString("run"))
		L.Push(v.State().NewFunctionFromProto(whole(s.t, src)))
		L.Push(v.State().NewFunction(func(L *lua.LState) int {
			if !lua.LVAsBool(L.Get(1)) {
				result = "failed: '" + L.Get(2).String() + "'"
			}
			return 0
		}))
		return 2
	})
	switch {
	case spent:
		return over
	case err != nil:
		if f, ok := err.(*vm.Failure); ok && f.Overrun {
			return over
		}
		return out.String() + "broken: " + err.Error()
	}
	return out.String() + result
}

// TestDifferentialWhole runs programs such as those of TestDifferential, and with
// more in them, as scripts are run.
func TestDifferentialWhole(t *testing.T) {
	t.Parallel()
	n := fromEnv(t, "HOOKD_FUZZ_N", 700)
	first := fromEnv(t, "HOOKD_FUZZ_SEED", 1)
	s := newScripts(t)
	skipped, differ := 0, 0
	const batch = 1000
	for done := 0; done < n; done += batch {
		programs := generateOf(first+done, min(batch, n-done), true)
		for i, want := range lua51(t, programs) {
			if want == over {
				skipped++
				continue
			}
			if got := s.run(programs[i]); got != want {
				if differ++; differ <= 3 {
					t.Errorf("program %d differs:\n%s\nlua5.1: %s\nscript: %s", first+done+i, programs[i], want, got)
				}
			}
		}
	}
	t.Logf("%d programs, %d differ, %d left out because lua5.1 does not end them in time", n, differ, skipped)
	if differ > 0 || skipped > n/20 {
		t.Errorf("%d of %d programs differ, %d were left out", differ, n, skipped)
	}
}

// TestValidityWhole holds the programs of TestDifferentialWhole to account: by the
// rewrites of this package alone at least one in twenty differs.
func TestValidityWhole(t *testing.T) {
	t.Parallel()
	programs := generateOf(1, 300, true)
	m, wrong := newMachine(t), 0
	for i, want := range lua51(t, programs) {
		if want != over && m.run(programs[i], 0) != want {
			wrong++
		}
	}
	t.Logf("%d of %d programs differ", wrong, len(programs))
	if wrong < len(programs)/20 {
		t.Errorf("only %d of %d programs differ", wrong, len(programs))
	}
}
