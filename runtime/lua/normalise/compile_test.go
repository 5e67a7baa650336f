package normalise

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/runtime/lua/source"
	"github.com/hookd/hookd/spec/cputime"
	lua "github.com/yuin/gopher-lua"
)

// slowest is what compiling any source may cost. Under the race detector and in
// fuzzing everything takes several times as long as it does in earnest.
const slowest = 5 * time.Second

func numbered(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	locals := func(n int, prefix string) string { return numbered(n, "local "+prefix+"%d\n") }
	for _, tt := range []struct {
		name, src, want string
		line            int
	}{
		{"locals", "\nlocal function f()\n" + locals(201, "v") + "end", "a function needs more than 200 locals and intermediate values", 2},
		{"arguments", "\nlocal function f()\n g(" + strings.Repeat("1, ", 250) + "1) end", "a function needs more than 200 locals and intermediate values", 2},
		{"upvalues", locals(150, "v") + "function f()\n" + locals(150, "w") + "return function()\n" +
			numbered(150, "v%d = ") + "nil end end", "", 0},
		{"a jump over too much", "while x do " + strings.Repeat("f()", 70_000) + " end", "a function is too long", 0},
		{
			"a jump back over too much", "repeat " + strings.Repeat("f()", 70_000) + " until x",
			"a function of 140004 instructions is too long: the limit is 131071", 0,
		},
		{"table", "local t =\n{" + strings.Repeat("1,", 25_551) + "}", "a table of more than 25550 list items", 2},
		{"label", "goto nowhere", "no visible label 'nowhere' for <goto> at line 1", 2},
	} {
		chunk, list := source.Parse("program", []byte(tt.src))
		if tt.name == "upvalues" {
			// An assignment of 150 values does not parse; reads do.
			var b strings.Builder
			b.WriteString(locals(150, "v") + "function f()\n" + locals(150, "w") + "return function()\n")
			b.WriteString(numbered(150, "x = v%d\n") + numbered(150, "x = w%d\n") + "end end")
			chunk, list = source.Parse("program", []byte(b.String()))
			tt.want, tt.line = "a function uses 300 variables of the functions around it: the limit is 255", 302
		}
		if chunk == nil {
			t.Fatalf("%s: %v", tt.name, list)
		}
		proto, list := Compile(chunk, nil)
		if proto != nil || len(list) != 1 || list[0].Msg != tt.want || list[0].Line != tt.line {
			t.Errorf("%s: Compile = %v, %v, want %q at line %d", tt.name, proto != nil, list, tt.want, tt.line)
		}
	}
}

// TestCompileTrims holds that a prototype does not keep what the compiler
// allocated in advance.
func TestCompileTrims(t *testing.T) {
	t.Parallel()
	proto, err := compile("local x return function() return function() return x end end", 0)
	if err != nil {
		t.Fatal(err)
	}
	for p := proto; ; p = p.FunctionPrototypes[0] {
		if cap(p.Code) > len(p.Code)+16 || cap(p.DbgSourcePositions) > len(p.DbgSourcePositions)+16 {
			t.Errorf("%d instructions in an array of %d", len(p.Code), cap(p.Code))
		}
		if len(p.FunctionPrototypes) == 0 {
			break
		}
	}
}

// TestCompileTime compiles the dearest sources that Parse lets through.
func TestCompileTime(t *testing.T) {
	fill := func(unit string) string { return strings.Repeat(unit, source.MaxSize/len(unit)) }
	r := strings.Repeat
	const sum = source.MaxChain / 4
	for name, src := range map[string]string{
		"sums":          fill("y=x" + r("+1", sum) + "\n"),
		"negative sums": fill("y=x" + r("+-1", sum) + "\n"),
		"conditions":    r("if x"+r(" or x", source.MaxChain)+" then end\n", 40),
		"values":        r("y=x"+r(" or x", source.MaxChain)+"\n", 40),
		"concatenation": fill("y=x" + r("..x", 190) + "\n"),
		"elseif":        fill("if a then " + r("elseif a then ", source.MaxChain) + "end\n"),
		"functions":     r("f=function()end ", source.MaxFunctions),
		"captures":      "local a " + r("f=function()a=a end ", source.MaxFunctions),
		"deep blocks":   r("do local a ", source.MaxNesting-5) + r("x=y ", 60_000) + r(" end", source.MaxNesting-5),
		"gotos":         "local a f=function()return a end " + r("do goto b end ", source.MaxLabels-3) + "::b::",
		"swaps":         "local a,b " + r("a,b=b,a ", 30_000),
		"many names":    numbered(source.MaxConstants-1, "n%x=0\n"),
		"tables":        "x={" + r("{"+r("1,", 120)+"f()},", 1000) + "}",
	} {
		chunk, list := source.Parse("program", []byte(src))
		if chunk == nil {
			t.Fatalf("%s: %v", name, list)
		}
		took := cputime.Of(func() { _, list = Compile(chunk, nil) })
		if len(list) > 0 {
			t.Errorf("%s: %v", name, list)
		}
		t.Logf("%-15s %v", name, took.Round(time.Millisecond))
		if took > slowest {
			t.Errorf("%s took %v to compile", name, took)
		}
	}
}

// TestShared runs one prototype in several states at once.
func TestShared(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	proto, err := compile(program(3), 0)
	if err != nil {
		t.Fatal(err)
	}
	want := m.execute(proto)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if got := m.execute(proto); got != want {
				t.Errorf("prints %q, want %q", got, want)
			}
		})
	}
	wg.Wait()
}

// TestUpstream runs the scripts that gopher-lua tests itself with.
func TestUpstream(t *testing.T) {
	file, _ := runtime.FuncForPC(reflect.ValueOf(lua.NewState).Pointer()).FileLine(0)
	root := filepath.Dir(file)
	var scripts []string
	for _, pattern := range []string{"_glua-tests/*.lua", "_lua5.1-tests/*.lua"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		scripts = append(scripts, found...)
	}
	if len(scripts) == 0 {
		t.Skipf("the sources of gopher-lua are not in %s: the module cache was left out or the paths were trimmed", root)
	}
	// These test the libraries, need files to write, or do not end in time.
	leave := []string{
		"os.lua", "calls.lua", "files.lua", "main.lua", "gc.lua", "all.lua", "api.lua", "big.lua", "verybig.lua", "checktable.lua",
		"code.lua", "db.lua", "errors.lua", "nextvar.lua", "attrib.lua", "strings.lua", "pm.lua", "sort.lua", "base.lua", "math.lua",
	}
	for _, script := range scripts {
		name := filepath.Base(script)
		if slices.Contains(leave, name) {
			continue
		}
		src, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		chunk, list := source.Parse(name, src)
		if chunk == nil {
			t.Errorf("%s: %v", name, list)
			continue
		}
		proto, list := Compile(chunk, nil)
		if proto == nil {
			t.Errorf("%s: %v", name, list)
			continue
		}
		began := time.Now()
		state := lua.NewState(lua.Options{RegistrySize: 20 << 10, CallStackSize: 1 << 10})
		state.SetGlobal("print", state.NewFunction(func(*lua.LState) int { return 0 }))
		state.Push(state.NewFunctionFromProto(proto))
		if err := state.PCall(0, 0, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		state.Close()
		t.Logf("%s took %v", name, time.Since(began).Round(time.Millisecond))
	}
}

// FuzzCompile holds that whatever parses compiles or is refused, in time and
// without a panic.
func FuzzCompile(f *testing.F) {
	for seed := range uint64(20) {
		f.Add([]byte(program(seed)))
	}
	for _, src := range []string{
		"a, b = b, a", "local x x = a and b", "goto a ::a::", "x = {" + strings.Repeat("1,", 50) + "...}", "for a in b, c, d, e do break end",
		"(1).x = ...", "local function f(...) local x x = (...) end", "while nil do break end", "x = 0xfffffffffffffffff .. 1e999",
	} {
		f.Add([]byte(src))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		chunk, _ := source.Parse("program", src)
		if chunk == nil {
			return
		}
		var proto *lua.FunctionProto
		var list diag.List
		if took := cputime.Of(func() { proto, list = Compile(chunk, nil) }); took > slowest {
			t.Errorf("took %v", took)
		}
		if (proto == nil) != list.HasErrors() {
			t.Errorf("prototype %v with %v", proto != nil, list)
		}
		for _, d := range list {
			if strings.Contains(d.Msg, "the compiler failed") {
				t.Errorf("%v", d)
			}
		}
	})
}
