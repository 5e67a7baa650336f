package normalise

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	lua "github.com/yuin/gopher-lua"
)

// failing are programs that raise an error in, before or after code that is
// rewritten. What a wrong rewrite would do to their lines shows in the message
// and in the traceback.
var failing = []string{
	"local x\nlocal t\nx =\n  t\n  .y and\n  5",
	"local x\nx = false\n  or nil + 1",
	"local x = 1\nx = x and error('at 2')",
	"local f = function()\n  error('two')\nend\nlocal x\nx = nil or\n  f()",
	"local a, b\na,\nb.c\n=\n1,\n2",
	"local a, b = {}\na.x,\na.y = 1,\n  b.z",
	"local a, b = 1, 2\na, b = b, a\nerror('three')",
	"local t = nil\nt.x, t.y = 1, 2",
	"local t = {}\nt[nil], t.y = 1, 2",
	"local t = setmetatable({}, { __newindex = function(t, k) error('set ' .. k) end })\nlocal x\nx, t.a, t.b =\n 1, 2,\n 3",
	"if true then\n  error('two')\nend",
	"if nil then x() elseif 1 then\n\n  y()\nend",
	"while true do\n  do break end\nend\nz()",
	"for i = 1, 2 do\n  while true do break end\n  z()\nend",
	"while 1 do\n  local x = 1\n  if x then\n    local f = function() return x end\n    if f() then break end\n  end\nend\nz()",
	"local f =\n  function()\n    error('three')\n  end\nf()",
	"for k, v in next,\n nil do\nend",
	"for k, v in\n  1, 2, 3, 4 do\nend",
	"local t = {\n  1,\n  k = error('three')\n}",
	"local t = { " + strings.Repeat("1, ", 50) + "\n k = error('two') }",
	"local t = { " + strings.Repeat("1, ", 50) + "\n error('two') }",
	"local t = { " + strings.Repeat("1, ", 50) + "\n\n (function() error('three') end)() }",
	"local n = 1\nlocal function f() n = 2 error('two') end\nlocal t = {}\nt[n] =\n f()",
	"local function f(p)\n  p = (g(\n    p))\nend\nf()",
	"goto on\n::on::\nlocal x = 1\nlocal f = function() return x end\ngoto off\n::off::\nf(x(1))",
	"local function f(...)\n  local p\n  p = (...)\n  p()\nend\nf(nil)",
	"return true and\n error('two')",
	"local s = 'x' ..\n (nil or\n {})",
	"function a.b.c()\nend",
	"local t = {}\nfunction t:m(p)\n  p, self.x = self.y.z, p\nend\nt:m()",
	"local x = 0xFFFFFFFFFFFFFFFF\nx()\n",
}

// TestErrorLines runs each program as it is and normalised.
func TestErrorLines(t *testing.T) {
	t.Parallel()
	for _, src := range failing {
		if diff := cmp.Diff(failure(t, src, All), failure(t, src, 0)); diff != "" {
			t.Errorf("%s\n(-as it is +normalised):\n%s", src, diff)
		}
	}
	// Without their rewrites these fail elsewhere or not at all.
	for src, want := range map[string]string{
		"for k in next,\n { 1 } do\n  k()\nend": "program:3: attempt to call",
		"do\n(1).x =\n 2 end":                   "program:2: attempt to index a non-table object(number)",
		"local n = 1\nlocal function f() n = nil return 1 end\nlocal t = {}\nt[n] =\n f()":  "program:4: table index is nil",
		"local f = function()\n error('in')\nend\nlocal f =\n function()\n  f()\n end\nf()": "program:2: in",
		"local a, b = 1, {}\na,\nb\n.x.y = b, a":                                            "program:3: attempt to index",
	} {
		if got := failure(t, src, 0); !strings.HasPrefix(got, want) {
			t.Errorf("%s\nfails with %q, want %q", src, got, want)
		}
	}
}

// failure returns the message and the traceback of the error a program raises.
func failure(t *testing.T, src string, skip Rewrites) string {
	t.Helper()
	proto, err := compile(src, skip)
	if err != nil {
		t.Fatalf("%s\n%v", src, err)
	}
	state := lua.NewState()
	defer state.Close()
	state.Push(state.NewFunctionFromProto(proto))
	err = state.PCall(0, 0, nil)
	var api *lua.ApiError
	if !errors.As(err, &api) {
		t.Fatalf("%s\nfails with %v", src, err)
	}
	return api.Object.String() + "\n" + api.StackTrace
}
