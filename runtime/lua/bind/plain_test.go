package bind

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	lua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/hookdev"
)

// logged is the hookd functions' bodies: it keeps what it was called with.
type logged struct {
	hookdev.Functions
	name   string
	fields any
	err    error
}

func (l *logged) Alert(_ *event.Caller, name string, fields any) error {
	l.name, l.fields = name, fields
	return l.err
}

// bound returns a VM whose alert is bound to fn.
func bound(fn *logged) (*lua.LState, *host, map[string]lua.LValue) {
	L := lua.NewState()
	h := newHost(L)
	g := globals(h, newConn())
	for _, f := range HookdFunctions(fn) {
		if f.Info.Name == "alert" {
			g["alert"] = L.NewFunction(func(L *lua.LState) int { return f.Call(h, L) })
		}
	}
	return L, h, g
}

func TestPlainData(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		`nil`:                         `null`,
		`true`:                        `true`,
		`1.5`:                         `1.5`,
		`"x"`:                         `"x"`,
		`{}`:                          `{}`,
		`{1, "a", false}`:             `[1,"a",false]`,
		`{z = 1, a = 2, m = {3, {}}}`: `{"z":1,"a":2,"m":[3,{}]}`,
		`{1, 2, x = 3}`:               `{"1":1,"2":2,"x":3}`,
		`{[2] = "b"}`:                 `{"2":"b"}`,
		`{[-1] = 1}`:                  `{"-1":1}`,
		`{conn = c}`:                  `{"conn":17}`,
		`c`:                           `17`,
	} {
		fn := &logged{}
		L, h, g := bound(fn)
		if _, err := run(t, h, L, g, `assert(alert("name", `+source+`))`); err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if diff := cmp.Diff(want, string(event.AppendJSONValue(nil, fn.fields))); diff != "" {
			t.Errorf("%s: %s", source, diff)
		}
	}
}

func TestPlainDataLimits(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		`{f = print}`:      "plain data expected, got a function",
		`{[true] = 1}`:     "plain data has strings and numbers as keys, not a boolean",
		`{d}`:              "lent: its handler returned",
		`deep(9)`:          "plain data is limited to tables nested 8 deep",
		`loop()`:           "plain data is limited to tables nested 8 deep",
		`("x"):rep(65537)`: "plain data is limited to 64 KiB",
		`many(9000)`:       "plain data is limited to 64 KiB",
	} {
		fn := &logged{}
		L, h, g := bound(fn)
		_, err := run(t, h, L, g, `
			function deep(n) local t = {} for i = 2, n do t = {t} end return t end
			function loop() local t = {} t.t = t return t end
			function many(n) local t = {} for i = 1, n do t[i] = i end return t end
			alert("name", `+source+`)`)
		if err == nil || !strings.Contains(err.Error(), "bad argument #2 to 'alert' ("+want) {
			t.Errorf("%s: got %v, want %s", source, err, want)
		}
	}
	fn := &logged{}
	L, h, g := bound(fn)
	if _, err := run(t, h, L, g, `alert("name", {{{{{{{{}}}}}}}})`); err != nil {
		t.Errorf("eight deep: %v", err)
	}
}

func TestFunctionResults(t *testing.T) {
	t.Parallel()
	fn := &logged{}
	L, h, g := bound(fn)
	got, err := run(t, h, L, g, `return alert "x"`)
	if diff := cmp.Diff([]string{"true"}, texts(got)); diff != "" || err != nil || fn.name != "x" || fn.fields != nil {
		t.Errorf("alert: %v %s %+v", err, diff, fn)
	}
	fn.err = errors.New("too many alerts")
	got, err = run(t, h, L, g, `return alert "x"`)
	if diff := cmp.Diff([]string{"nil", "too many alerts"}, texts(got)); diff != "" || err != nil {
		t.Errorf("a refused alert: %v %s", err, diff)
	}
	h.pure = true
	if _, err = run(t, h, L, g, `alert "x"`); err == nil || !strings.Contains(err.Error(), "not while loading: 'alert'") {
		t.Errorf("alert at top level: %v", err)
	}
}

// What goes into Go and comes back is the same to Lua.
func TestValueRoundTrip(t *testing.T) {
	t.Parallel()
	L := lua.NewState()
	h := newHost(L)
	g := globals(h, newConn())
	g["trip"] = L.NewFunction(func(L *lua.LState) int {
		v, err := Plain(h, L.Get(1))
		if err != nil {
			L.RaiseError("%s", err.Error())
		}
		L.Push(Value(h, L, v))
		return 1
	})
	got, err := run(t, h, L, g, `
		local t = trip { a = 1, list = { "x", { y = true } }, conn = c }
		return t.a, t.list[1], t.list[2].y, t.conn == c, trip(nil), trip(2.5)`)
	if diff := cmp.Diff([]string{"1", "x", "true", "true", "nil", "2.5"}, texts(got)); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if v := Value(h, L, fmt.Stringer(nil)); v != lua.LNil {
		t.Errorf("a value that is not plain became %v", v)
	}
}
