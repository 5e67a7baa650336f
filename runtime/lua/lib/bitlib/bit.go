// Package bitlib is the table bit of scripts: operations on 32 bits with the
// names and the semantics of Lua BitOp 1.0.2. Arguments are taken modulo 2^32,
// results are signed. Functions are pure; those of one state are called on its
// goroutine.
package bitlib

import (
	"math"
	"math/bits"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/runtime/lua/lib/call"
	"github.com/hookd/hookd/runtime/lua/lib/strlib"
)

// Open returns the functions of the table.
func Open(L *lua.LState, lim *strlib.Limits) map[string]lua.LValue {
	bodies := map[string]call.Body{"tohex": tohex}
	for name, op := range map[string]func(x uint32) uint32{
		"tobit": func(x uint32) uint32 { return x },
		"bnot":  func(x uint32) uint32 { return ^x },
		"bswap": bits.ReverseBytes32,
	} {
		bodies[name] = func(c call.Call) int { return push(c, op(arg(c, 1))) }
	}
	for name, op := range map[string]func(x, y uint32) uint32{
		"band": func(x, y uint32) uint32 { return x & y },
		"bor":  func(x, y uint32) uint32 { return x | y },
		"bxor": func(x, y uint32) uint32 { return x ^ y },
	} {
		bodies[name] = func(c call.Call) int {
			x := arg(c, 1)
			for i := 2; i <= c.Top(); i++ {
				x = op(x, arg(c, i))
			}
			c.Spend(c.Top())
			return push(c, x)
		}
	}
	for name, op := range map[string]func(x uint32, n int) uint32{
		"lshift":  func(x uint32, n int) uint32 { return x << n },
		"rshift":  func(x uint32, n int) uint32 { return x >> n },
		"arshift": func(x uint32, n int) uint32 { return uint32(int32(x) >> n) },
		"rol":     bits.RotateLeft32,
		"ror":     func(x uint32, n int) uint32 { return bits.RotateLeft32(x, -n) },
	} {
		// Only the lower five bits of a shift count.
		bodies[name] = func(c call.Call) int { return push(c, op(arg(c, 1), int(arg(c, 2)&31))) }
	}
	return call.Functions(L, lim, "bit", bodies)
}

// arg returns the lowest 32 bits of a number, rounded to the nearest whole one.
// Numbers beyond 2^51 have no meaning to Lua BitOp; here their lowest bits count
// as long as they are whole.
func arg(c call.Call, n int) uint32 {
	f := math.RoundToEven(c.Number(n))
	if math.Abs(f) < 1<<63 {
		return uint32(int64(f))
	}
	if f = math.Mod(f, 1<<32); f != f {
		return 0
	}
	return uint32(int64(f))
}

func push(c call.Call, x uint32) int { return c.PushNumber(float64(int32(x))) }

// tohex writes so many of the lower hexadecimal digits, in capitals where the
// number is negative.
func tohex(c call.Call) int {
	x, n := arg(c, 1), 8
	if c.Has(2) {
		n = int(int32(arg(c, 2)))
	}
	capitals := n < 0
	if n = max(n, -n); n > 8 || n < 0 {
		n = 8
	}
	text := strconv.FormatUint(uint64(x), 16)
	text = strings.Repeat("0", 8-len(text)) + text
	if capitals {
		text = strings.ToUpper(text)
	}
	return c.PushString(text[8-n:])
}
