package lua

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/spec/cputime"
)

// bomb is what is meant to keep a shard busy. Setup runs at the top level, body
// in a handler.
type bomb struct {
	name, setup, body string
	want              string // in the error; empty: the body ends by itself
}

const (
	overBudget = "went over its budget of 200000 instructions"
	tooLong    = "exceeds the limit of 1 MiB"
	// twoLong makes two equal strings of a mebibyte that are not the same.
	twoLong = `local a, b = ("x"):rep(1e6) .. "y", ("x"):rep(1e6) .. "y" `
	// many is a list of 100,000.
	many = `local t = {} for i = 1, 1e5 do t[i] = i end `
)

var bombs = []bomb{
	{"endless loop", "", `while true do end`, overBudget},
	{"endless repeat", "", `repeat until false`, overBudget},
	{"endless goto", "", `::again:: goto again`, overBudget},
	{"endless recursion", "", `local function f() return f() end f()`, overBudget},
	{"deep recursion", "", `local function f() return 1 + f() end f()`, "stack overflow"},
	{"deep recursion, caught", "", `local function f() return 1 + f() end while true do pcall(f) end`, overBudget},
	{"pcall that swallows", "", `while true do pcall(function() while true do end end) end`, overBudget},
	{"xpcall that swallows", "", `local function f() xpcall(f, f) end while true do f() end`, overBudget},
	{"pcall of an error", "", `while true do pcall(error, "x") end`, overBudget},
	{"error with a long text", `local s = ("x"):rep(1e6)`, `while true do pcall(error, s) end`, overBudget},
	{"coroutines", "", `while true do coroutine.wrap(function() coroutine.yield() end)() end`, overBudget},
	{"coroutines that recurse", "", `local function f() coroutine.wrap(f)() end f()`, "nest at most"},
	{"coroutines that recurse, caught", "", `local function f() pcall(coroutine.wrap(f)) end while true do f() end`, overBudget},
	{"coroutine that loops", "", `coroutine.wrap(function() while true do end end)()`, overBudget},
	{"coroutines kept", "local t = {}", `for i = 1, 1e5 do t[i] = coroutine.create(function() end) end`, overBudget},

	{"length of a list that was emptied", many + `for i = 1, 1e5 do t[i] = nil end`, `while true do local n = #t end`, overBudget},
	{"length of a list with its last element gone", many + `for i = 2, 1e5 do t[i] = nil end`, `while true do local n = #t end`, overBudget},
	{"append by length", "local t = {}", `while true do t[#t + 1] = 1 end`, overBudget},
	{"unpack of a list that was emptied", many + `for i = 1, 1e5 do t[i] = nil end`, `while true do unpack(t) end`, overBudget},
	{"great index", "", `while true do local t = {} t[1000000] = 1 end`, overBudget},
	{"great index of a field", "local o = {}", `while true do o.t = {} o.t[1000000] = 1 end`, overBudget},
	{"great index in a constructor", "", `while true do local t = { [1000000] = 1 } end`, overBudget},
	{"great index by rawset", "", `while true do rawset({}, 1000000, 1) end`, overBudget},
	{"great index by insert", "", `while true do table.insert({}, 1000000, 1) end`, overBudget},
	{"great index computed", "", `for i = 1000000, 1, -1 do local t = {} t[i] = 1 end`, overBudget},
	{"insert in front", many, `while true do table.insert(t, 1, 0) end`, overBudget},
	{"remove in front", many, `while true do table.remove(t, 1) table.insert(t, 0) end`, overBudget},
	{"next over a hole", "local t = {} t[1000000] = 1", `while true do next(t) end`, overBudget},
	{"pairs over holes", "local t = {} t[1000000] = 1", `while true do for k in pairs(t) do end end`, overBudget},
	{"next of a list that is being emptied", many, `for k in pairs(t) do t[k] = nil local n = #t end`, overBudget},

	{"equal long strings", twoLong, `while true do local x = a == b end`, overBudget},
	{"unequal long strings", twoLong, `while true do local x = a ~= b end`, overBudget},
	{"rawequal long strings", twoLong, `while true do local x = rawequal(a, b) end`, overBudget},
	{"order of long strings", twoLong, `while true do local x = a < b end`, overBudget},
	{"long key", twoLong + `local t = { [a] = 1 }`, `while true do local x = t[b] end`, overBudget},
	{"long key that is not there", twoLong + `local t = { [a] = 1 }`, `while true do local x = t[a .. "z"] end`, overBudget},
	{"long key stored", twoLong + `local t = { [a] = 1 }`, `while true do t[b] = 1 end`, overBudget},
	{"long key by rawget", twoLong + `local t = { [a] = 1 }`, `while true do rawget(t, b) end`, overBudget},
	{"long key by next", twoLong + `local t = { [a] = 1, x = 2 }`, `while true do next(t, b) end`, overBudget},
	{"long key in a constructor", twoLong, `while true do local t = { [a] = 1 } end`, overBudget},
	{"long number in arithmetic", `local s = ("0"):rep(1e6)`, `while true do local x = s + 1 end`, "attempt to perform arithmetic"},
	{"long number negated", `local s = ("0"):rep(1e6)`, `while true do local x = -s end`, "attempt to perform arithmetic"},
	{"long number for a loop", `local s = ("0"):rep(1e6)`, `while true do for i = s, 0 do end end`, "must be a number"},
	{"tonumber", `local s = ("0"):rep(1e6)`, `while true do tonumber(s) end`, overBudget},
	{"tonumber with a base", `local s = ("0"):rep(1e6)`, `while true do tonumber(s, 16) end`, overBudget},
	{"long number as an argument", `local s = ("0"):rep(1e6)`, `while true do math.abs(s) end`, "number expected, got string"},
	{"long number as a position", `local s = ("0"):rep(1e6)`, `while true do ("x"):sub(s) end`, "number expected, got string"},

	{"string.rep", "", `local s = ("x"):rep(1e9)`, tooLong},
	{"string.rep in a loop", "", `while true do local s = ("x"):rep(1e6) end`, overBudget},
	{"doubling", "", `local s = "x" while true do s = s .. s end`, tooLong},
	{"doubling caught", "", `local s = "x" while true do pcall(function() s = s .. s end) end`, overBudget},
	{"long concatenation", `local s = ("x"):rep(1e6)`, `while true do local x = s .. "y" end`, overBudget},
	{"format width", "", `while true do local s = ("%99d"):format(1) end`, overBudget},
	{"format of a long string", `local s = ("x"):rep(1e6)`, `while true do local x = ("%s"):format(s) end`, overBudget},
	{"format quoting", `local s = ("\0"):rep(1e5)`, `while true do local x = ("%q"):format(s) end`, overBudget},
	{"format with a long format", `local s = ("x"):rep(1e6)`, `while true do local x = s:format() end`, overBudget},
	{"gsub that grows", "", `local s = "x" while true do s = s:gsub("x", "xx") end`, overBudget},
	{"gsub that replaces by much", `local s = ("x"):rep(1e5)`, `local x = ("x"):rep(100):gsub("x", s)`, tooLong},
	{"gsub in a loop", `local s = ("x"):rep(1e6)`, `while true do s:gsub("x", "y") end`, overBudget},
	{"pattern that backtracks", `local s = ("a"):rep(2e4)`, `s:find(".-b")`, ""},
	{"pattern that backtracks more", `local s = ("a"):rep(200)`, `s:find(".-.-.-.-b")`, ""},
	{"pattern that backtracks to its end", `local s = "b" .. ("a"):rep(2e4)`, `s:find("a-a-a-b$")`, overBudget},
	{"patterns one after the other", `local s = ("a"):rep(1e4)`, `while true do s:find("a-a-c-$") end`, overBudget},
	{"pattern of brackets", `local s = ("("):rep(2e5)`, `s:find("%b()x")`, ""},
	{"pattern with back-references", `local s = ("a"):rep(5e3)`, `s:find("(a*)%1b")`, ""},
	{"long pattern", `local p = ("a"):rep(1e6)`, `while true do ("x"):find(p .. ".") end`, overBudget},
	{"plain search", `local s = ("a"):rep(1e6)`, `while true do s:find(("a"):rep(1000) .. "b", 1, true) end`, overBudget},
	{"upper and lower", `local s = ("a"):rep(1e6)`, `while true do s = s:upper():lower() end`, overBudget},
	{"reverse", `local s = ("a"):rep(1e6)`, `while true do s:reverse() end`, overBudget},
	{"byte and char", `local s = ("a"):rep(5000)`, `while true do string.char(s:byte(1, -1)) end`, overBudget},
	{"unpack", many, `unpack(t)`, "too many results"},
	{"unpack in a loop", `local t = {} for i = 1, 7000 do t[i] = i end`, `while true do unpack(t) end`, overBudget},
	{"extra arguments", `local t = {} for i = 1, 7000 do t[i] = i end local function g() end`, `local function f(...) while true do g(...) end end f(unpack(t))`, overBudget},
	{"extra arguments in a table", `local t = {} for i = 1, 7000 do t[i] = i end`, `local function f(...) while true do local x = { ... } end end f(unpack(t))`, overBudget},
	{"extra arguments that grow", "", `local function f(...) return f(1, ...) end f()`, overBudget},
	{"select", `local t = {} for i = 1, 7000 do t[i] = i end`, `local function f(...) while true do select(2, ...) end end f(unpack(t))`, overBudget},
	{"concat", many, `while true do table.concat(t) end`, overBudget},
	{"concat of long strings", `local t = {} for i = 1, 100 do t[i] = ("x"):rep(1e5) end`, `table.concat(t)`, tooLong},
	{"sort", many, `while true do table.sort(t) end`, overBudget},
	{"sort that never agrees", many, `table.sort(t, function() return true end)`, overBudget},
	{"sort that never agrees, caught", many, `while true do pcall(table.sort, t, function() return true end) end`, overBudget},
	{"sort of long strings", `local t = {} for i = 1, 50 do t[i] = ("x"):rep(1e5) .. i end`, `while true do table.sort(t) end`, overBudget},
	{"maxn", many + `t.x = 1`, `while true do table.maxn(t) end`, overBudget},
	{"foreach", many, `while true do table.foreach(t, type) end`, overBudget},

	{"chain of __index", `local t = {} for i = 1, 90 do t = setmetatable({}, { __index = t }) end`, `while true do local x = t.y end`, "loop in gettable"},
	{"chain of __index, as long as may be", `local t = {} for i = 1, 3 do t = setmetatable({}, { __index = t }) end`, `while true do local x = t.y end`, overBudget},
	{"tables", "", `while true do local t = { x = 1, y = 2 } end`, overBudget},
	{"tables filled later", "", `while true do local t = {} t.x = 1 end`, overBudget},
	{"closures", "", `while true do local f = function() return f end end`, overBudget},
	{"chain of __newindex", `local t = {} for i = 1, 90 do t = setmetatable({}, { __newindex = t }) end`, `while true do t.y = 1 end`, "loop in settable"},
	{"__index that recurses", `local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k] end`, `local x = t.y`, "stack overflow"},
	{"__index that recurses, caught", `local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k] end`, `while true do pcall(function() return t.y end) end`, overBudget},
	{"__tostring that recurses", `local t = setmetatable({}, {}) getmetatable(t).__tostring = function(t) return tostring(t) end`, `tostring(t)`, "stack overflow"},
	{"__concat that recurses", `local t = setmetatable({}, {}) getmetatable(t).__concat = function(a, b) return a .. b end`, `local x = t .. t`, "stack overflow"},
	{"__eq that recurses", `local m = {} m.__eq = function(a, b) return a == b end local a, b = setmetatable({}, m), setmetatable({}, m)`, `local x = a == b`, "stack overflow"},
	{"__call that recurses", `local t = setmetatable({}, {}) getmetatable(t).__call = function(t) return 1 + t() end`, `t()`, "stack overflow"},
	{"tostring of many", "", `while true do tostring({}) end`, overBudget},

	{"json of nested tables", `local t = {} for i = 1, 1e5 do t = { t } end`, `json.encode(t)`, ""},
	{"json of a cycle", `local t = {} t.t = t`, `json.encode(t)`, ""},
	{"json of much", many, `while true do json.encode(t) end`, overBudget},
	{"json of nested brackets", `local s = ("["):rep(1e6)`, `while true do json.decode(s) end`, overBudget},
	{"json decoding", `local s = "[" .. ("1,"):rep(2e5) .. "1]"`, `while true do json.decode(s) end`, overBudget},
	{"hashing", `local s = ("x"):rep(1e6)`, `while true do hash.sha256(s) end`, overBudget},
	{"hashing by md5", `local s = ("x"):rep(1e6)`, `while true do hash.md5(s) end`, overBudget},
	{"base64", `local s = ("x"):rep(5e5)`, `while true do base64.encode(s) end`, overBudget},
	{"url", `local s = ("%"):rep(3e5)`, `while true do url.encode(s) end`, overBudget},
	{"utf8", `local s = ("x"):rep(1e6)`, `while true do utf8.len(s) end`, overBudget},
	{"struct", `local s = ("x"):rep(1e6)`, `while true do struct.unpack("s1000", s) end`, ""},
	{"os.date", "", `while true do os.date("%c") end`, overBudget},
	{"state", "", `while true do state.x = ("x"):rep(60000) end`, overBudget},
}

// A bomb has to have ended within stopsWithin of CPU time, or on a machine where
// the plain endless loop, the first of them, takes longer than here, within
// timesLoop of that.
const (
	stopsWithin = 5 * time.Millisecond
	timesLoop   = 6
)

// TestBombs sets off each bomb in a house with another script. It ends in time,
// best of five, and the other script goes on.
func TestBombs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector distorts times")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	loop, _ := setOff(t, bombs[0], 0)
	limit, worst := max(stopsWithin, timesLoop*loop), time.Duration(0)
	for _, b := range bombs {
		took, said := setOff(t, b, limit)
		worst = max(worst, took)
		if testing.Verbose() && took > limit*3/5 {
			t.Logf("%s: took %v", b.name, took)
		}
		if took > limit {
			t.Errorf("%s: took %v, more than %v", b.name, took, limit)
		}
		if !strings.Contains(said, b.want) || b.want == "" && strings.Contains(said, "budget") {
			t.Errorf("%s: want %q, reported %q", b.name, b.want, said)
		}
	}
	t.Logf("%d bombs, the endless loop took %v, the worst %v", len(bombs), loop, worst)
}

// setOff runs a bomb until it ends within limit, five times at most, and returns
// the least CPU time and what was reported.
func setOff(t *testing.T, b bomb, limit time.Duration) (least time.Duration, said string) {
	h := newHouse(t, engine.Limits{Overruns: 10, Errors: 20}) // more than suspend it
	_, diags := h.Apply([]engine.Source{
		{Path: "bomb.lua", Text: []byte(b.setup + "\nrule \"bomb\" { on = flow.conn_start, run = function()\n" + b.body + "\nend }")},
		{Path: "other.lua", Text: []byte(`rule "other" { on = flow.conn_start, run = function() print "other" end }`)},
	})
	if diags.HasErrors() {
		t.Fatalf("%s: %s", b.name, rendered(diags))
	}
	h.Start(1000e9)
	for i := range 5 {
		runtime.GC()
		took := cputime.Of(func() { h.start(newConn(1)) })
		if said = h.take(); !strings.HasSuffix(said, "other\n") {
			t.Errorf("%s: the other script did not run: %q", b.name, said)
		}
		if i == 0 || took < least {
			least = took
		}
		if least <= limit {
			break
		}
	}
	h.Close()
	return least, said
}
