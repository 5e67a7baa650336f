package bind

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"
	"unsafe"

	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine/event/plain"
)

// arg is one argument of a call, or a value to assign, before it is checked.
type arg struct {
	h  Host
	L  *lua.LState
	v  lua.LValue
	fn string // what is called; empty for an assignment
	// Where it stands: n from 1, or a name.
	n    int
	name string
	none bool // fewer arguments were given
}

// methodArg returns argument n of a method, counted from 1 behind its object.
func methodArg(h Host, L *lua.LState, fn string, n int) arg {
	return arg{h: h, L: L, v: L.Get(n + 1), fn: fn, n: n, none: L.GetTop() < n+1}
}

// funcArg returns argument n of a function, counted from 1.
func funcArg(h Host, L *lua.LState, fn string, n int) arg {
	return arg{h: h, L: L, v: L.Get(n), fn: fn, n: n, none: L.GetTop() < n}
}

// front returns two optional arguments of which the first may be left out: where one is given, it is the
// second.
func front(a, b arg) (first, second arg) {
	if b.none {
		a, b = b, a
		a.v = lua.LNil
	}
	return a, b
}

// assigned returns a value that is assigned to a field.
func assigned(h Host, L *lua.LState, field string, v lua.LValue) arg {
	return arg{h: h, L: L, v: v, name: field}
}

// table returns the table of a call with named arguments, all of whose keys are
// among names.
func (a arg) table(names ...string) *lua.LTable {
	t, ok := a.v.(*lua.LTable)
	if !ok {
		a.wrong("table of named arguments")
	}
	for k, _ := t.Next(lua.LNil); k != lua.LNil; k, _ = t.Next(k) {
		if name, ok := k.(lua.LString); !ok || !slices.Contains(names, string(name)) {
			a.L.RaiseError("unknown argument '%s' to '%s'", k.String(), a.fn)
		}
	}
	return t
}

// named returns the argument of that name out of a call's table.
func (a arg) named(t *lua.LTable, name string) arg {
	a.v, a.n, a.name, a.none = t.RawGetString(name), 0, name, false
	return a
}

// fail raises "bad argument #1 to 'tag' (what)".
func (a arg) fail(what string) {
	switch {
	case a.fn == "":
		a.L.RaiseError("cannot assign %s: %s", a.name, what)
	case a.name != "":
		a.L.RaiseError("bad argument '%s' to '%s' (%s)", a.name, a.fn, what)
	default:
		a.L.RaiseError("bad argument #%d to '%s' (%s)", a.n, a.fn, what)
	}
}

// wrong raises that the argument has another type than the one expected.
func (a arg) wrong(want string) {
	got := a.v.Type().String()
	if a.none {
		got = "no value"
	}
	a.fail(want + " expected, got " + got)
}

// check raises err, if there is one.
func (a arg) check(err error) {
	if err != nil {
		a.fail(err.Error())
	}
}

// optional reads an argument that may be absent and says whether it is there.
func optional[T any](a arg, read func(arg) T) (v T, given bool) {
	if a.v == lua.LNil {
		return v, false
	}
	return read(a), true
}

// orZero reads an argument whose Go zero value stands for absent.
func orZero[T any](a arg, read func(arg) T) (v T) {
	if a.v == lua.LNil {
		return v
	}
	return read(a)
}

// toSelf returns the object that a method is called on.
func toSelf[T any](h Host, L *lua.LState, t TypeID, fn string) T {
	v := L.Get(1)
	if _, ok := v.(*lua.LUserData); !ok {
		L.RaiseError("'%s' is a method: call it with a colon, as in x:%s()", fn, fn)
	}
	o, err := h.Live(v, t)
	if err != nil {
		L.RaiseError("calling '%s': %s", fn, err.Error())
	}
	return o.(T)
}

// toActing returns the object that a method with effects is called on, or the
// error that the call returns since the object ended.
func toActing[T any](h Host, L *lua.LState, t TypeID, fn string) (self T, err error) {
	if ud, ok := L.Get(1).(*lua.LUserData); ok {
		o, err := h.Live(ud, t)
		if err == nil {
			return o.(T), nil
		}
		if ended, ok := errors.AsType[*EndedError](err); ok {
			return self, fmt.Errorf("%s has ended", ended.Label)
		}
	}
	return toSelf[T](h, L, t, fn), nil
}

// toObject returns the live object of type t that an argument stands for.
func toObject[T any](a arg, t TypeID) T {
	o, err := a.h.Live(a.v, t)
	a.check(err)
	return o.(T)
}

func toBool(a arg) bool {
	v, ok := a.v.(lua.LBool)
	if !ok {
		a.wrong("boolean")
	}
	return bool(v)
}

// number returns the argument as Lua has numbers; a text is none.
func (a arg) number(want string) float64 {
	v, ok := a.v.(lua.LNumber)
	if !ok {
		a.wrong(want)
	}
	return float64(v)
}

func toUint[T ~uint8 | ~uint16 | ~uint32 | ~uint64](a arg) T {
	most := int64(plain.MaxExact)
	if uint64(^T(0)) < plain.MaxExact {
		most = int64(^T(0))
	}
	return T(a.integer(a.number("number"), 0, most))
}

func toInt(a arg) int64 { return a.integer(a.number("number"), -plain.MaxExact, plain.MaxExact) }

// integer is plain.Integer with the common case kept free of calls.
func (a arg) integer(n float64, least, most int64) int64 {
	if n == math.Trunc(n) && n >= float64(least) && n <= float64(most) {
		return int64(n)
	}
	v, err := plain.Integer(n, least, most)
	a.check(err)
	return v
}

func toFloat(a arg) float64 { return a.number("number") }

// toString takes numbers too, as Lua's own functions do.
func toString(a arg) string {
	switch v := a.v.(type) {
	case lua.LString:
		return string(v)
	case lua.LNumber:
		return v.String()
	}
	a.wrong("string")
	return ""
}

// toBytes hands out the bytes of a string without copying them: callees may keep
// them but never change them.
func toBytes(a arg) []byte {
	text := toString(a)
	return unsafe.Slice(unsafe.StringData(text), len(text))
}

func toIP(a arg) netip.Addr {
	const want = `address such as "192.0.2.1"`
	text, ok := a.v.(lua.LString)
	if !ok {
		a.wrong(want)
	}
	v, err := netip.ParseAddr(string(text))
	if err != nil {
		a.fail(fmt.Sprintf("%s expected, got %s", want, plain.Describe(string(text))))
	}
	return v
}

func toEndpoint(a arg) netip.AddrPort {
	const want = `endpoint such as "192.0.2.1:80"`
	text, ok := a.v.(lua.LString)
	if !ok {
		a.wrong(want)
	}
	v, err := netip.ParseAddrPort(string(text))
	if err != nil {
		a.fail(fmt.Sprintf("%s expected, got %s", want, plain.Describe(string(text))))
	}
	return v
}

// toTime reads seconds since the epoch as nanoseconds.
func toTime(a arg) int64 {
	d, err := plain.Seconds(a.number("time in seconds"))
	a.check(err)
	return int64(d)
}

// toDuration reads a number of seconds or a text such as "10s".
func toDuration(a arg) time.Duration {
	if text, ok := a.v.(lua.LString); ok {
		d, err := plain.Duration(string(text))
		a.check(err)
		return d
	}
	d, err := plain.Seconds(a.number(`duration such as "10s"`))
	a.check(err)
	return d
}

// toSize reads a number of bytes or a text such as "64KiB".
func toSize(a arg) int64 {
	if text, ok := a.v.(lua.LString); ok {
		n, err := plain.Size(string(text))
		a.check(err)
		return n
	}
	return a.integer(a.number(`size such as "64KiB"`), 0, plain.MaxExact)
}

// toEnum reads one of the words.
func toEnum[T ~uint8](a arg, names []string) T {
	word, ok := a.v.(lua.LString)
	if !ok {
		a.wrong("string")
	}
	i, err := plain.Word(string(word), names)
	a.check(err)
	return T(i)
}

// toStrings reads a list of strings; a single string is a list of one.
func toStrings(a arg) []string {
	if text, ok := a.v.(lua.LString); ok {
		return []string{string(text)}
	}
	t, ok := a.v.(*lua.LTable)
	if !ok {
		a.wrong("list of strings")
	}
	list := make([]string, 0, t.Len())
	for i := range t.Len() {
		text, ok := t.RawGetInt(i + 1).(lua.LString)
		if !ok {
			a.fail(fmt.Sprintf("list of strings expected, but item %d is a %s", i+1, t.RawGetInt(i+1).Type()))
		}
		list = append(list, string(text))
	}
	if k, _ := t.Next(lua.LNil); len(list) == 0 && k != lua.LNil {
		a.fail("list of strings expected, got a table with names")
	}
	return list
}

// toPlain reads any plain value.
func toPlain(a arg) any {
	v, err := Plain(a.h, a.v)
	a.check(err)
	return v
}

// toPlainOr reads any plain value, or a live object of type t.
func toPlainOr[T any](a arg, t TypeID) any {
	v, err := Plain(a.h, a.v)
	if _, ok := a.v.(*lua.LUserData); ok && err != nil {
		return toObject[T](a, t)
	}
	a.check(err)
	return v
}

// toHandler reads a function or the name of a handler.
func toHandler(a arg) any {
	v, err := a.h.Handler(a.L, a.v)
	a.check(err)
	return v
}
