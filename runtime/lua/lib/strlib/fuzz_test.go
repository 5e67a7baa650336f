package strlib

import (
	"errors"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// FuzzCalls gives every function arbitrary bytes and numbers. Whatever comes,
// the call returns or raises a Lua error, the result keeps to the limit, and
// the work to the budget.
func FuzzCalls(f *testing.F) {
	f.Add("%d %s %q %5.2f", "(%w+)=(%w*)", "<%1>", 3.0)
	f.Add("%-+ #099.99x", "^%b()%f[%a]", "%", -1e300)
	f.Add("%", "[]-a]", "%9", 0.5)
	lim := &Limits{MaxString: 4096}
	L := lua.NewState(lua.Options{SkipOpenLibs: true, RegistryMaxSize: 1 << 20})
	f.Cleanup(L.Close)
	Open(L, lim)
	OpenTable(L, lim)
	mod := L.GetGlobal("string").(*lua.LTable)
	f.Fuzz(func(t *testing.T, a, b, c string, n float64) {
		left := 200_000
		lim.Steps = func(k int) error {
			if left -= k; left < 0 {
				return errors.New("step limit reached")
			}
			return nil
		}
		args := [][]lua.LValue{
			{lua.LString(a), lua.LString(b), lua.LString(c), lua.LNumber(n)},
			{lua.LString(a), lua.LNumber(n), lua.LString(b), lua.LTrue},
			{lua.LString(b), lua.LString(a), lua.LNumber(n)},
		}
		mod.ForEach(func(name, fn lua.LValue) {
			for _, as := range args {
				left = 200_000
				L.SetTop(0)
				err := L.CallByParam(lua.P{Fn: fn, NRet: 1, Protect: true}, as...)
				var api *lua.ApiError
				if errors.As(err, &api) && (api.Cause != nil || strings.Contains(api.Object.String(), "runtime error")) {
					t.Fatalf("string.%s%q: %v", name, as, err)
				}
				if s, ok := L.Get(-1).(lua.LString); ok && err == nil && len(s) > max(4096, len(a), len(b)) {
					t.Errorf("string.%s%q returned %d bytes", name, as, len(s))
				}
			}
		})
	})
}
