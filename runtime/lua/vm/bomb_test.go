package vm

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/spec/cputime"
)

// TestBombs runs what is meant to take a machine down. Each ends soon, with a
// message, and the machine goes on.
func TestBombs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, src string
		want      string // in the message; empty: succeeds
	}{
		{"endless loop", `while true do end`, "handler went over its budget of 200000 instructions"},
		{"endless repeat", `repeat until false`, "handler went over its budget of 200000 instructions"},
		{"loop around pcall", `while true do pcall(function() while true do end end) end`, "handler went over its budget"},
		{"loop in a pcall handler", `xpcall(error, function() while true do end end) while true do end`, "handler went over its budget"},
		{"loop in a coroutine", `coroutine.wrap(function() while true do end end)()`, "handler went over its budget"},
		{"loop in resumed coroutines", `while true do coroutine.resume(coroutine.create(function() while true do end end)) end`, "handler went over its budget"},
		{"loop in a metamethod", `local t = setmetatable({}, { __index = function(t, k) while true do end end }) local x = t.y`, "handler went over its budget"},
		{"loop in an error's text", `error(setmetatable({}, { __tostring = function() while true do end end }))`, "__tostring failed"},
		{"string.rep", `local s = string.rep("x", 1e9)`, "exceeds the limit of 1 MiB"},
		{"doubling", `local s = "x" while true do s = s .. s end`, "exceeds the limit of 1 MiB"},
		{"doubling caught", `local s = "x" while true do pcall(function() s = s .. s end) end`, "handler went over its budget"},
		{"great concatenation", `local s = string.rep("x", 1000000) local t = {} for i = 1, 100000 do t[i] = s .. i end`, "handler went over its budget"},
		{"vararg tail call", `local function f(...) return f(1, ...) end f()`, "stack overflow: a call holds at most"},
		{"vararg call", `local function f(...) local x = f(1, ...) end f()`, "stack overflow"},
		{"vararg tail call caught", `local function f(...) return f(1, ...) end while true do pcall(f) end`, "handler went over its budget"},
		{"deep recursion", `local function f() local x = f() return x end f()`, "stack overflow: calls nest at most 1024 deep"},
		{"deep recursion caught", `local function f() local x = f() return x end while true do pcall(f) end`, "handler went over its budget"},
		{"recursion through pcall", `local function f() pcall(f) error("x", 0) end f()`, "x"},
		{"recursion through coroutines", `local function f() coroutine.wrap(f)() end f()`, "nest at most 150 deep"},
		{"recursion through metamethods", `local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k] end local x = t.y`, "stack overflow"},
		{"recursion through tostring", `local t = setmetatable({}, {}) getmetatable(t).__tostring = function(t) return tostring(t) end tostring(t)`, "stack overflow"},
		{"tail calls", `local function f() return f() end f()`, "handler went over its budget"},
		{"coroutines kept", `local t = {} for i = 1, 20000 do t[i] = coroutine.create(function() end) end`, "handler went over its budget"},
		{"coroutines dropped", `for i = 1, 300 do coroutine.wrap(function() end)() end`, ""},
		{"great array index", `local t = {} t[60000000] = 1`, ""},
		{"great array indices", `local t = {} for i = 1, 1000 do t[60000000 + i] = 1 end`, ""},
		{"unpack", `local t = {} for i = 1, 9000 do t[i] = i end unpack(t)`, "too many results to unpack"},
		{"select over many", `local t = {} for i = 1, 7000 do t[i] = i end
			local function f(...) for i = 1, 7000 do local x = select(i, ...) end end f(unpack(t))`, "handler went over its budget"},
		{"sort that never agrees", `local t = {} for i = 1, 5000 do t[i] = i end while true do pcall(table.sort, t, function() return true end) end`, "handler went over its budget"},
		{"pattern", `string.find("b" .. string.rep("a", 20000), "a-a-a-b$")`, "handler went over its budget"},
		{"gsub with itself", `local s = string.rep("a", 100000) while true do s = s:gsub("a", "aa") end`, ""},
		{"next over a hole", `local t = {} t[1000000] = 1 while true do next(t) end`, "handler went over its budget"},
		{"errors with long texts", `local k, t = ("x"):rep(1000000), nil while true do pcall(function() local x = t[k] end) end`, "handler went over its budget"},
		{"yield outside", `coroutine.yield()`, "attempt to yield from outside a coroutine"},
		{"yield across pcall", `coroutine.wrap(function() error((select(2, pcall(coroutine.yield))), 0) end)()`, "attempt to yield across a protected call"},
		{"yield in an iterator", `coroutine.wrap(function() for x in function() coroutine.yield(1) end do end end)()`, "a yield cannot leave"},
		{"yield in a metamethod", `local c = coroutine.wrap(function() local t = setmetatable({}, { __index = function() coroutine.yield(1) end }) return t.x end) c() c()`, "a yield cannot leave"},
		{"error nil", `error()`, "error value is a nil"},
		{"error table", `error({})`, "error value is a table"},
		{"error text of a table", `error(setmetatable({}, { __tostring = function() return "told" end }))`, "told"},
		{"error in a wrapped coroutine", `coroutine.wrap(function() error("inner") end)()`, "inner"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if raceEnabled && strings.HasPrefix(tt.name, "vararg tail call") {
				t.Skip("copies hundreds of millions of values, each watched by the race detector")
			}
			t.Parallel()
			var out strings.Builder
			v := machine(&out)
			var err error
			took := cputime.Of(func() { err = run(t, v, tt.src) })
			var f *Failure
			switch {
			case err == nil && tt.want != "" && tt.want != "-":
				t.Errorf("succeeded, want %q", tt.want)
			case err != nil && (!errors.As(err, &f) || !strings.Contains(f.Message, tt.want)):
				t.Errorf("failed with %q, want %q", err, tt.want)
			}
			if limit := 10 * time.Second; took > limit {
				t.Errorf("took %v, more than %v", took, limit)
			}
			if err := run(t, v, `print("alive", coroutine.wrap(function() return pcall(error, "x") end)())`); err != nil {
				t.Errorf("afterwards: %v", err)
			}
			if !strings.HasSuffix(out.String(), "alive\tfalse\tx\n") {
				t.Errorf("afterwards printed %q", out.String())
			}
		})
	}
}
