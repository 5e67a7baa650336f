package vm

import (
	"math"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/runtime/lua/lib/strlib"
)

// plainTypes have one metatable for all their values. Scripts do not see it.
var plainTypes = []glua.LValue{
	glua.LNil, glua.LFalse, glua.LNumber(0), &glua.LFunction{}, &glua.LState{},
}

// operators are the arithmetic of two numbers.
var operators = map[string]func(x, y float64) float64{
	"__add": func(x, y float64) float64 { return x + y },
	"__sub": func(x, y float64) float64 { return x - y },
	"__mul": func(x, y float64) float64 { return x * y },
	"__div": func(x, y float64) float64 { return x / y },
	"__mod": modulo,
	"__pow": math.Pow,
}

// modulo is gopher-lua's %, for operands that it does not find to be numbers.
func modulo(x, y float64) float64 {
	m := math.Mod(x, y)
	if y > 0 && m < 0 || y < 0 && m > 0 {
		m += y
	}
	return m
}

// openPlain gives values that are no tables the operators that gopher-lua does
// not have right: it reads strings as Go does, "010" as 8 and "1_0" as 10, however
// long they are, and does not say of what type is what it cannot compute with or
// call. The metamethods of tables go first, as in 5.1.
func (v *VM) openPlain() {
	ops := v.root.CreateTable(0, len(operators)+2)
	text := v.root.CreateTable(0, len(operators)+4)
	text.RawSetString("__index", v.Globals().RawGetString("string"))
	text.RawSetString("__metatable", glua.LString("string"))
	v.root.SetMetatable(glua.LString(""), text)
	add := func(event string, body glua.LGFunction) {
		fn := v.root.NewFunction(body)
		ops.RawSetString(event, fn)
		text.RawSetString(event, fn)
	}
	for event, op := range operators {
		add(event, v.arithmetic(event, op))
	}
	add("__unm", v.minus)
	add("__call", func(L *glua.LState) int {
		return v.raise(L, 1, "attempt to call a "+L.Get(1).Type().String()+" value")
	})
	for _, value := range plainTypes {
		v.root.SetMetatable(value, ops)
	}
}

// raise raises an error at a level with the position of a script's function and
// of no other.
func (v *VM) raise(L *glua.LState, level int, msg string) int {
	L.Error(glua.LString(v.where(L, level)+msg), 0)
	return 0
}

func (v *VM) arithmetic(event string, op func(x, y float64) float64) glua.LGFunction {
	return func(L *glua.LState) int {
		a, b := L.Get(1), L.Get(2)
		x, isNumber := number(a)
		y, bothAre := number(b)
		if isNumber && bothAre {
			L.SetTop(0)
			L.Push(glua.LNumber(op(x, y)))
			return 1
		}
		for _, operand := range []glua.LValue{a, b} {
			if own(operand) {
				if fn := L.GetMetaField(operand, event); fn != glua.LNil {
					L.SetTop(0)
					L.Push(fn)
					L.Push(a)
					L.Push(b)
					L.Call(2, 1)
					return 1
				}
			}
		}
		if isNumber {
			a = b
		}
		return v.raise(L, 1, "attempt to perform arithmetic on a "+a.Type().String()+" value")
	}
}

// own reports whether a value has a metatable of its own.
func own(value glua.LValue) bool {
	t := value.Type()
	return t == glua.LTTable || t == glua.LTUserData
}

func (v *VM) minus(L *glua.LState) int {
	a := L.Get(1)
	x, ok := number(a)
	if !ok {
		return v.raise(L, 1, "attempt to perform arithmetic on a "+a.Type().String()+" value")
	}
	L.SetTop(0)
	L.Push(glua.LNumber(-x))
	return 1
}

// number returns the value of a number, or of a string that reads as one.
func number(value glua.LValue) (float64, bool) {
	switch value := value.(type) {
	case glua.LNumber:
		return float64(value), true
	case glua.LString:
		return strlib.ParseNumber(string(value))
	}
	return 0, false
}

// charge counts n nanoseconds' worth of work and raises when that is too much.
func (v *VM) charge(L *glua.LState, n int) {
	if err := v.Spend(n); err != nil {
		L.RaiseError("%s", err.Error())
	}
}
