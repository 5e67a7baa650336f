package bind

import (
	"math"
	"time"
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

// Values makes Lua values of what scripts read, with as few allocations as there
// can be: texts of addresses are kept, small numbers are there already, others are
// made by the block. The zero value is ready; it belongs to the goroutine of its
// machine.
type Values struct {
	Addresses
	block []float64 // what is left of the latest one
}

// smallNumbers are the numbers of 16 bits, 512 KiB of them, so that ports, small
// lengths and counters do not allocate each time they are read.
var smallNumbers = func() *[1 << 16]float64 {
	list := new([1 << 16]float64)
	for i := range list {
		list[i] = float64(i)
	}
	return list
}()

// blockNumbers is how many numbers are allocated at once, as gopher-lua does for the
// results of arithmetic: one that a script keeps keeps the others.
const blockNumbers = 32

// number returns the Lua value of a number that is somewhere and does not change.
// The value of an interface with a number in it is a pointer to the number: to make
// it of that pointer saves the copy that a conversion would allocate. gopher-lua's
// own numbers are made in the same way.
func number(at *float64) lua.LValue {
	v := numberZero
	(*[2]unsafe.Pointer)(unsafe.Pointer(&v))[1] = unsafe.Pointer(at)
	return v
}

var numberZero lua.LValue = lua.LNumber(0)

// small returns a number of at most 16 bits.
func small[T ~uint8 | ~uint16](v T) lua.LValue { return number(&smallNumbers[v]) }

// uint returns a number of any width.
func (t *Values) uint(v uint64) lua.LValue {
	if v < uint64(len(smallNumbers)) {
		return number(&smallNumbers[v])
	}
	return t.box(float64(v))
}

func (t *Values) int(v int64) lua.LValue {
	if uint64(v) < uint64(len(smallNumbers)) {
		return number(&smallNumbers[v])
	}
	return t.box(float64(v))
}

func (t *Values) time(v int64) lua.LValue { return t.box(float64(v) / 1e9) }

func (t *Values) duration(v time.Duration) lua.LValue { return t.box(v.Seconds()) }

// Number returns the value of f.
func (t *Values) Number(f float64) lua.LValue {
	if i := int(f); uint(i) < uint(len(smallNumbers)) && float64(i) == f && !math.Signbit(f) {
		return number(&smallNumbers[i])
	}
	return t.box(f)
}

func (t *Values) box(f float64) lua.LValue {
	if len(t.block) == 0 {
		t.block = make([]float64, blockNumbers)
	}
	at := &t.block[0]
	t.block = t.block[1:]
	*at = f
	return number(at)
}
