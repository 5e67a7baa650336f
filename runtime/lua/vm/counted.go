package vm

import (
	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/runtime/lua/counted"
	"github.com/hookd/hookd/runtime/lua/lib/strlib"
)

// openCounted installs what stands for operators in a chunk that [counted.Chunk]
// went over.
func (v *VM) openCounted() {
	g := v.Globals()
	for _, f := range []function{
		{counted.Length, v.length},
		{counted.Equal, v.equal},
		{counted.Less, func(L *glua.LState) int { return push(L, v.less(L, L.Get(1), L.Get(2))) }},
		{counted.AtMost, func(L *glua.LState) int { return push(L, v.atMost(L, L.Get(1), L.Get(2))) }},
		{counted.More, func(L *glua.LState) int { return push(L, v.less(L, L.Get(2), L.Get(1))) }},
		{counted.AtLeast, func(L *glua.LState) int { return push(L, v.atMost(L, L.Get(2), L.Get(1))) }},
		{counted.Key, v.key},
		{counted.Store, v.store},
		{counted.Values, v.values},
		{counted.Bound, v.loopBound},
		{counted.Table, v.table},
	} {
		g.RawSetString(f.name, v.root.NewFunction(f.body))
	}
}

func push(L *glua.LState, b bool) int {
	L.Push(glua.LBool(b))
	return 1
}

// length is the operator #. As in 5.1 a table has no say in it.
func (v *VM) length(L *glua.LState) int {
	switch x := L.Get(1).(type) {
	case glua.LString:
		L.Push(smallInt(len(x)))
		return 1
	case *glua.LTable:
		v.charge(L, stepsPerCall)
		L.Push(smallInt(strlib.Length(x)))
		return 1
	case *glua.LUserData:
		if fn := L.GetMetaField(x, "__len"); fn != glua.LNil {
			L.Push(fn)
			L.Push(x)
			L.Call(1, 1)
			return 1
		}
	}
	return v.raise(L, 1, "attempt to get length of a "+L.Get(1).Type().String()+" value")
}

// equal is ==, which compares strings of the same length byte by byte.
func (v *VM) equal(L *glua.LState) int {
	a, b := L.Get(1), L.Get(2)
	if x, ok := a.(glua.LString); ok {
		y, ok := b.(glua.LString)
		if ok && len(x) == len(y) && len(x) > shortKey {
			v.charge(L, len(x)/bytesPerStep)
		}
		return push(L, ok && x == y)
	}
	return push(L, L.Equal(a, b))
}

// less is <.
func (v *VM) less(L *glua.LState, a, b glua.LValue) bool {
	switch x := a.(type) {
	case glua.LNumber:
		if y, ok := b.(glua.LNumber); ok {
			return x < y
		}
	case glua.LString:
		if y, ok := b.(glua.LString); ok {
			v.chargeCompare(L, x, y)
			return x < y
		}
	}
	if fn := sameMeta(L, a, b, "__lt"); fn != glua.LNil {
		return truth(L, fn, a, b)
	}
	v.incomparable(L, a, b)
	return false
}

// atMost is <=, for which __lt with the operands exchanged will do.
func (v *VM) atMost(L *glua.LState, a, b glua.LValue) bool {
	switch x := a.(type) {
	case glua.LNumber:
		if y, ok := b.(glua.LNumber); ok {
			return x <= y
		}
	case glua.LString:
		if y, ok := b.(glua.LString); ok {
			v.chargeCompare(L, x, y)
			return x <= y
		}
	}
	if fn := sameMeta(L, a, b, "__le"); fn != glua.LNil {
		return truth(L, fn, a, b)
	}
	if fn := sameMeta(L, b, a, "__lt"); fn != glua.LNil {
		return !truth(L, fn, b, a)
	}
	v.incomparable(L, a, b)
	return false
}

func (v *VM) chargeCompare(L *glua.LState, a, b glua.LString) {
	if n := min(len(a), len(b)); n > shortKey {
		v.charge(L, n/bytesPerStep)
	}
}

// sameMeta returns the metamethod that both values share, nil if there is none.
func sameMeta(L *glua.LState, a, b glua.LValue, event string) glua.LValue {
	if a.Type() != b.Type() || !own(a) {
		return glua.LNil
	}
	fn := L.GetMetaField(a, event)
	if fn.Type() != glua.LTFunction || fn != L.GetMetaField(b, event) {
		return glua.LNil
	}
	return fn
}

func truth(L *glua.LState, fn, a, b glua.LValue) bool {
	L.Push(fn)
	L.Push(a)
	L.Push(b)
	L.Call(2, 1)
	yes := glua.LVAsBool(L.Get(-1))
	L.Pop(1)
	return yes
}

func (v *VM) incomparable(L *glua.LState, a, b glua.LValue) {
	x, y := a.Type().String(), b.Type().String()
	if x == y {
		v.raise(L, 1, "attempt to compare two "+x+" values")
	}
	v.raise(L, 1, "attempt to compare "+x+" with "+y)
}

// key returns a key after counting what looking it up takes.
func (v *VM) key(L *glua.LState) int {
	v.chargeKey(L, L.Get(1))
	return 1
}

// store returns a key after counting what storing under it takes.
func (v *VM) store(L *glua.LState) int {
	v.charge(L, stepsPerCall)
	n, isNumber := L.Get(1).(glua.LNumber)
	t, isTable := L.Get(2).(*glua.LTable)
	switch {
	case !isNumber:
		v.chargeKey(L, L.Get(1))
	case isTable:
		v.chargeStore(L, t, n)
	case L.GetTop() == 1 || n > assumedLength:
		if n < MaxArray {
			v.charge(L, stepsPerElement*int(max(n, 0)))
		}
	}
	L.SetTop(1)
	return 1
}

// assumedLength is how long a table is taken to be of which nothing is known.
const assumedLength = 4096

// values returns its arguments and counts them: each is copied a few times on
// its way.
func (v *VM) values(L *glua.LState) int {
	n := L.GetTop()
	v.charge(L, stepsPerValue*n)
	return n
}

// stepsPerValue is what passing a value on counts for.
const stepsPerValue = 4

// stepsPerTable is what making a table counts for: most are about to get fields
// with names, for which gopher-lua makes three maps.
const stepsPerTable = 700

// table returns a table that was just made, after counting it.
func (v *VM) table(L *glua.LState) int {
	v.charge(L, stepsPerTable)
	return 1
}

// loopWords names the values a loop takes, by the second argument of
// [counted.Bound].
var loopWords = [...]string{1: "initial value", "limit", "step"}

// loopBound returns a number for a loop to count with.
func (v *VM) loopBound(L *glua.LState) int {
	if L.Get(1).Type() == glua.LTNumber {
		L.SetTop(1)
		return 1
	}
	if n, ok := number(L.Get(1)); ok {
		L.Push(glua.LNumber(n))
		return 1
	}
	which := loopWords[int(glua.LVAsNumber(L.Get(2)))]
	return v.raise(L, 1, "'for' "+which+" must be a number")
}

// smallInts holds the lengths that strings and lists mostly have.
var smallInts = func() (list [1025]glua.LValue) {
	for i := range list {
		list[i] = glua.LNumber(i)
	}
	return list
}()

func smallInt(n int) glua.LValue {
	if n < len(smallInts) {
		return smallInts[n]
	}
	return glua.LNumber(n)
}

// stepsPerCall is what a call counts for, beside its instruction, that looks a place
// of a table up: loops over lists are made of them.
const stepsPerCall = 15

// bytesPerStep is how many bytes of a string are hashed, compared or copied in
// about a nanosecond.
const bytesPerStep = 16

// shortKey is the longest string whose hash costs no more than the instruction
// that asks for it.
const shortKey = 64

// chargeKey counts what looking up a key takes.
func (v *VM) chargeKey(L *glua.LState, key glua.LValue) {
	if s, ok := key.(glua.LString); ok && len(s) > shortKey {
		v.charge(L, len(s)/bytesPerStep)
	}
}

// chargeStore counts what storing under a key takes: gopher-lua fills the array
// of a table up to the key.
func (v *VM) chargeStore(L *glua.LState, t *glua.LTable, key glua.LValue) {
	n, ok := key.(glua.LNumber)
	if !ok {
		v.chargeKey(L, key)
		return
	}
	if n <= 1 || n >= MaxArray || t.RawGetInt(int(n)-1) != glua.LNil || t.RawGetInt(int(n)) != glua.LNil {
		return
	}
	v.charge(L, stepsPerElement*max(0, int(n)-t.MaxN()))
}

// stepsPerElement is what filling one place of an array counts for.
const stepsPerElement = 8
