package normalise

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// prelude is what generated programs stand on; it runs in both engines, and in
// gopher-lua without rewrites, so it keeps to what is compiled right anyway. It
// prints values in a way that both agree on.
const prelude = `
local emit, type, tostring, floor, format, sub = emit, type, tostring, math.floor, string.format, string.sub
local calls = 0
function show(v)
  local t = type(v)
  if t == "number" then
    if v ~= v then return "nan" end
    if v == 0 then return "0" end
    if v == floor(v) and v < 1000000000000000 and v > -1000000000000000 then return format("%d", v) end
    if v == v + v then if v > 0 then return "inf" end return "-inf" end
    return format("%.6g", v)
  end
  if t == "string" then return "'" .. v .. "'" end
  if t == "nil" or t == "boolean" then return tostring(v) end
  return t
end
function out(...)
  for i = 1, select("#", ...) do
    local v = select(i, ...)
    emit(show(v) .. " ")
  end
  emit("\n")
end
function E(ok, e, ...)
  if ok then return ok, e, ... end
  if type(e) ~= "string" then return ok, e end
  local mark = sub(e, 1, 2)
  if mark == "u:" then return ok, e end
  return ok, "vm"
end
function T(label, ...) emit("<" .. show(label) .. ">") return ... end
function K() calls = calls + 1 return calls > 60 end
function N(v) if type(v) == "number" and v < 1000000 and v > -1000000 then return v end return 3 end
function S(v) if type(v) == "string" then return v end return show(v) end
function L(s) return sub(s, 1, 12) end
function X(t) if type(t) == "table" then return t end return {} end
function count(n)
  return function(limit, at) at = (at or 0) + 1 if at <= limit then return at, at * 2, S(at) end end, n
end
function stateless(limit, at)
  emit("[" .. show(limit) .. "," .. show(at) .. "]")
  if at == nil then return 1, 2 end
  if type(at) == "number" and at < 3 then return at + 1, at end
end
function counter(n) local at = 0 return function() at = at + 1 if at <= n then return at end end end
O = { v = 1 }
function O.m(self, a, b) self.v = N(self.v) + 1 return a, b, self.v end
function O.id(self, a) return a end
M = setmetatable({}, {
  __index = function(t, k) emit("(get " .. show(k) .. ")") return k end,
  __newindex = function(t, k, v) emit("(set " .. show(k) .. "=" .. show(v) .. ")") end,
})
V = setmetatable({}, {
  __add = function(p, q) emit("(add)") return N(p) + N(q) end,
  __concat = function(p, q) emit("(concat)") return L(S(p) .. S(q)) end,
  __unm = function(p) emit("(unm)") return 7 end,
  __lt = function(p, q) emit("(lt)") return true end,
  __le = function(p, q) emit("(le)") return false end,
  __eq = function(p, q) emit("(eq)") return true end,
  __call = function(self, p, ...) emit("(call)") return p, ... end,
  __index = O,
})
W = setmetatable({}, getmetatable(V))
i, j, k, n = 1, 2, 3, 4
a, b, c, d = nil, false, true, "g"
s, r = "s", "r"
t, u = { 1, 2, 3, x = 1 }, { x = 5, y = false }
function f(...) return ... end
function g(p) return p, 1 end
function h() return end
F = {}
function finish()
  for n = 1, #F do if n <= 12 then out(E(pcall(F[n], n))) out(E(pcall(F[n]))) end end
  out(i, j, k, n, a, b, c, d, s, r)
  for n = 1, 4 do out(rawget(t, n), rawget(u, n)) end
  out(t.x, t.y, t.z, u.x, u.y, u.z)
end
`

// driver runs in lua5.1: it reads programs, each with its length on a line of
// its own, and answers each with what it printed, in the same frames.
const driver = `
local prelude = assert(loadstring(PRELUDE, "=prelude"))
while true do
  local size = io.read("*n", "*l")
  if not size then break end
  local program, err = loadstring(size == 0 and "" or io.read(size), "=program")
  local buffer, used, over = {}, 0, false
  if not program then
    buffer = { "does not compile: ", err }
  else
    local env = setmetatable({}, { __index = _G })
    env.emit = function(text)
      used = used + #text
      if used > LIMIT then over = true error("output") end
      buffer[#buffer + 1] = text
    end
    local function stop() over = true debug.sethook(stop, "", 100) error("budget") end
    env.coroutine = { yield = coroutine.yield, wrap = function(f) -- hooks are each coroutine's own
      return coroutine.wrap(function(...) debug.sethook(stop, "", BUDGET) return f(...) end)
    end }
    setfenv(prelude, env)()
    setfenv(program, env)
    debug.sethook(stop, "", BUDGET)
    local ok, e = env.E(pcall(program))
    debug.sethook()
    if not ok then buffer[#buffer + 1] = "failed: " .. env.show(e) end
    if over then buffer = { "over" } end
  end
  local text = table.concat(buffer)
  io.write(#text, "\n", text)
end`

const (
	// outputLimit and instructions are what one program may print and execute.
	outputLimit  = 40_000
	instructions = 60_000
	over         = "over"
)

// lua51 runs programs in one lua5.1 process and returns what each printed.
func lua51(t testing.TB, programs []string) []string {
	t.Helper()
	path, err := exec.LookPath("lua5.1")
	if err != nil {
		if os.Getenv("HOOKD_CI") == "1" {
			t.Fatal("lua5.1 is not installed: ", err)
		}
		t.Skip("lua5.1 is not installed; it says what programs mean")
	}
	var in bytes.Buffer
	for _, p := range programs {
		fmt.Fprintf(&in, "%d\n%s", len(p), p)
	}
	script := strings.NewReplacer(
		"PRELUDE", "[==["+prelude+"]==]", "LIMIT", fmt.Sprint(outputLimit), "BUDGET", fmt.Sprint(instructions),
	).Replace(driver)
	cmd := exec.Command(path, "-e", script)
	cmd.Stdin = &in
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("lua5.1: %v: %s", err, errs.String())
	}
	results := make([]string, 0, len(programs))
	for rest := out.Bytes(); len(rest) > 0; {
		head, tail, _ := bytes.Cut(rest, []byte("\n"))
		var size int
		if _, err := fmt.Sscan(string(head), &size); err != nil || size > len(tail) {
			t.Fatalf("lua5.1 answered %q", head)
		}
		results = append(results, string(tail[:size]))
		rest = tail[size:]
	}
	if len(results) != len(programs) {
		t.Fatalf("lua5.1 answered %d of %d programs: %s", len(results), len(programs), errs.String())
	}
	return results
}
