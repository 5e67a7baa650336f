package vm

import (
	"strings"
	"testing"

	glua "github.com/yuin/gopher-lua"
)

func BenchmarkCall(b *testing.B) {
	v := machine(&strings.Builder{})
	fn := function1(b, v, `return function(a) end`)
	b.ReportAllocs()
	for b.Loop() {
		L := v.Begin(200_000, "handler")
		L.Push(fn)
		L.Push(glua.LTrue)
		if err := v.Call(1, 0); err != nil {
			b.Fatal(err)
		}
		v.End()
	}
}

// BenchmarkStockPCall is gopher-lua's own protected call, without a budget.
func BenchmarkStockPCall(b *testing.B) {
	v := machine(&strings.Builder{})
	fn := function1(b, v, `return function(a) end`)
	L, _ := v.State().NewThread()
	b.ReportAllocs()
	for b.Loop() {
		L.Push(fn)
		L.Push(glua.LTrue)
		if err := L.PCall(1, 0, nil); err != nil {
			b.Fatal(err)
		}
		L.SetTop(0)
	}
}

// function1 returns what the chunk returns.
func function1(b testing.TB, v *VM, src string) *glua.LFunction {
	b.Helper()
	L := v.Begin(1_000_000, "load")
	L.Push(load(b, v, src))
	if err := v.Call(0, 1); err != nil {
		b.Fatal(err)
	}
	fn := v.Result(1).(*glua.LFunction)
	v.End()
	return fn
}

func BenchmarkScript(b *testing.B) {
	for _, bb := range []struct{ name, src string }{
		{"loop", `return function() for i = 1, 1000 do end end`},
		{"pcall", `local function f() end return function() for i = 1, 1000 do pcall(f) end end`},
		{"pcall of a failure", `local function f() error("x", 0) end return function() for i = 1, 1000 do pcall(f) end end`},
		{"concat", `local a, b = "one ", "two" return function() for i = 1, 1000 do local s = a .. b end end`},
		{"concat three", `local a, b = "one ", "two" return function() for i = 1, 1000 do local s = a .. i .. b end end`},
		{"global", `return function() for i = 1, 1000 do local s = math end end`},
		{"pairs", `local t = {} for i = 1, 1000 do t[i] = i end return function() for k, v in pairs(t) do end end`},
		{"ipairs", `local t = {} for i = 1, 1000 do t[i] = i end return function() for k, v in ipairs(t) do end end`},
	} {
		b.Run(bb.name, func(b *testing.B) {
			v := machine(&strings.Builder{})
			fn := function1(b, v, bb.src)
			b.ReportAllocs()
			for b.Loop() {
				L := v.Begin(1<<40, "handler")
				L.Push(fn)
				if err := v.Call(0, 0); err != nil {
					b.Fatal(err)
				}
				v.End()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/each")
		})
	}
}
