package vm

import (
	"fmt"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"github.com/hookd/hookd/runtime/lua/lib/strlib"
)

// ConcatName is the global function that stands for the operator .. in a chunk
// that [BoundConcat] went over. It is no name that a script could write.
const ConcatName = "(..)"

// maxOperands is how many operands one call of it takes; longer chains nest.
const maxOperands = 40

// concat joins its arguments as a .. b .. c does, right to left.
func (v *VM) concat(L *glua.LState) int {
	n := L.GetTop()
	size := 0
	for i := 1; i <= n; i++ {
		switch x := L.Get(i).(type) {
		case glua.LString:
			size += len(x)
		case glua.LNumber:
			size += len("-1.2345678901234e+100")
		default:
			return v.concatMeta(L, n)
		}
	}
	if size > v.cfg.Limits.MaxString {
		return v.tooLong(L, size)
	}
	if err := v.Spend(size / 8); err != nil {
		L.RaiseError("%s", err.Error())
	}
	if n == 2 {
		if a, ok := L.Get(1).(glua.LString); ok {
			if b, ok := L.Get(2).(glua.LString); ok {
				L.Push(a + b)
				return 1
			}
		}
	}
	buf := v.buf[:0]
	for i := 1; i <= n; i++ {
		buf = appendText(buf, L.Get(i))
	}
	v.buf = buf[:0]
	L.Push(glua.LString(buf))
	if cap(buf) > maxSpareBuf {
		v.buf = nil
	}
	return 1
}

// maxSpareBuf is the longest buffer kept for the next concatenation.
const maxSpareBuf = 64 << 10

func appendText(buf []byte, x glua.LValue) []byte {
	switch x := x.(type) {
	case glua.LString:
		return append(buf, x...)
	case glua.LNumber:
		return append(buf, strlib.NumberString(float64(x))...)
	}
	return buf
}

func (v *VM) tooLong(L *glua.LState, size int) int {
	limit := fmt.Sprintf("%d bytes", v.cfg.Limits.MaxString)
	if n := v.cfg.Limits.MaxString; n%(1<<20) == 0 {
		limit = fmt.Sprintf("%d MiB", n>>20)
	}
	L.RaiseError("..: result of %d bytes exceeds the limit of %s", size, limit)
	return 0
}

// concatMeta joins arguments some of which are neither strings nor numbers.
func (v *VM) concatMeta(L *glua.LState, n int) int {
	right := L.Get(n)
	for i := n - 1; i >= 1; i-- {
		left := L.Get(i)
		if glua.LVCanConvToString(left) && glua.LVCanConvToString(right) {
			right = v.join(L, left, right)
			continue
		}
		meta := L.GetMetaField(left, "__concat")
		if meta == glua.LNil {
			meta = L.GetMetaField(right, "__concat")
		}
		if meta == glua.LNil {
			if glua.LVCanConvToString(left) {
				left = right
			}
			L.RaiseError("attempt to concatenate a %s value", left.Type())
		}
		L.Push(meta)
		L.Push(left)
		L.Push(right)
		L.Call(2, 1)
		right = L.Get(-1)
		L.Pop(1)
	}
	L.Push(right)
	return 1
}

func (v *VM) join(L *glua.LState, left, right glua.LValue) glua.LValue {
	text := appendText(appendText(nil, left), right)
	if len(text) > v.cfg.Limits.MaxString {
		v.tooLong(L, len(text))
	}
	if err := v.Spend(len(text) / 8); err != nil {
		L.RaiseError("%s", err.Error())
	}
	return glua.LString(text)
}

// BoundConcat replaces every .. of a chunk by a call that keeps to a machine's
// limits. Lines stay what they are; the chunk is changed in place.
func BoundConcat(chunk []ast.Stmt) { rewriter{}.block(chunk) }
