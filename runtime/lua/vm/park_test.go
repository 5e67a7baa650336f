package vm

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// composed writes programs that wait at random in ways that call each other, to a
// depth. What they say is the same if they never wait.
type composed struct {
	*rand.Rand
	serial int
}

// ways are expressions around others; %[1]s and %[2]s are expressions, %[3]d a number.
var ways = []string{
	`wait(%[1]s)`, `wait(%[1]s, %[2]s)`, `(wait(%[1]s))`, `%[3]d`, `"s%[3]d"`, `nil`, `{ %[1]s, k = %[2]s }`,
	`f(%[1]s, %[2]s)`, `tail(%[1]s)`, `select(%[3]d %% 2 + 1, %[1]s, %[2]s)`, `(function(...) return ... end)(%[1]s, %[2]s)`,
	`pcall(function(...) return %[1]s, ... end, %[2]s)`, `pcall(error, (%[1]s))`, `pcall(wait, %[1]s)`,
	`pcall(function() local x = %[1]s error((%[2]s), %[3]d %% 3) end)`,
	`xpcall(function() return %[1]s end, function(e) return %[2]s end)`,
	`xpcall(function() error((%[1]s)) end, function(e) return %[2]s, e end)`,
	`coroutine.wrap(function(a) return %[1]s, a end)(%[2]s)`,
	`twice(function(a) local b = coroutine.yield(%[1]s) return b, %[2]s end)`,
	`pcall(coroutine.wrap(function() local x = %[1]s error(%[2]s, 0) end))`,
	`(select(2, coroutine.resume(coroutine.create(function() return %[1]s, %[2]s end))))`,
	`setmetatable({}, { __index = function(_, k) return %[1]s end })[%[3]d]`,
	`setmetatable({}, { __call = function(_, a) return a, %[1]s end })(%[2]s)`,
	`(("ab"):gsub(".", function(c) return type(%[1]s) end))`,
	`sorted(function(a, b) local x = %[1]s return a < b end)`,
	`each(function(i) if i < 3 then return i + 1, %[1]s end end, %[2]s)`,
	`counted(function() return %[1]s end)`,
}

const composedPrelude = `
local function f(a, b, c) local x, y = wait(a, b) return y, x, c end
local function tail(...) return wait(...) end
local function twice(fn) local co = coroutine.wrap(fn) local a = co(1) return a, co(wait(2)) end
local function sorted(less) local t = { 3, 1, 2 } table.sort(t, less) return table.concat(t, ",") end
local function each(iter, extra) local n = 0 for i, v in function(_, i) return iter(i) end, nil, 0 do n = n + i end return n, extra end
local function counted(fn) local n = 0 local function up() n = n + 1 return fn() end return up(), up(), n end
local function text(...) local t = {} for i = 1, select("#", ...) do local v = select(i, ...) t[i] = type(v) == "table" and "table" or tostring(v) end return table.concat(t, " ") end
`

func (c *composed) expr(depth int) string {
	c.serial++
	n := len(ways)
	if depth == 0 {
		n = 6
	}
	way := ways[c.IntN(n)]
	if depth == 0 {
		return fmt.Sprintf(way+"%[4]s", "1", "x", c.serial, "")
	}
	return fmt.Sprintf(way+"%[4]s", c.expr(depth-1), c.expr(depth-1), c.serial, "")
}

func (c *composed) program() string {
	var b strings.Builder
	b.WriteString(composedPrelude)
	for range 1 + c.IntN(4) {
		fmt.Fprintf(&b, "do local x = %q say(text(%s)) end\n", "x", c.expr(1+c.IntN(3)))
	}
	fmt.Fprintf(&b, "return text(%s)\n", c.expr(2))
	return b.String()
}

// TestWhateverWaitsChangesNothing runs programs composed at random, from seeds.
func TestWhateverWaitsChangesNothing(t *testing.T) {
	t.Parallel()
	programs := uint64(300)
	if testing.Short() {
		programs = 100
	}
	for seed := range programs {
		src := (&composed{Rand: rand.New(rand.NewPCG(seed, 1))}).program()
		w := newWaiting(t, Limits{})
		fn := load(t, w.VM, src)
		want := w.direct(fn)
		if diff := cmp.Diff(want, w.finish(w.start(t, fn))); diff != "" {
			t.Fatalf("seed %d:\n%s\nwhat never waits, and what does:\n%s", seed, src, diff)
		}
		w.Close()
	}
}
