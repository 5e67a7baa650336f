-- 2.6 Visibility rules, closures.
local x = 10
do local x = x is(x) x = x + 1 do local x = x + 1 is(x) end is(x) end is(x)
local a = {} local y = 20 for i = 1, 3 do local y = 0 a[i] = function() y = y + 1 return x + y end end
is(a[1](), a[1](), a[2](), a[3](), y)
local function counter() local n = 0 return function() n = n + 1 return n end, function() return n end, function(v) n = v end end
local inc, get, set = counter() inc() inc() is(get()) set(10) is(inc(), get())
local inc2, get2 = counter() is(inc2(), get2(), get())
local fs = {} for i = 1, 3 do local j = i * 10 fs[i] = function() j = j + i return j end end is(fs[1](), fs[1](), fs[2](), fs[3]())
fs = {} for k, v in ipairs({"a", "b"}) do fs[k] = function() return k, v end end is(fs[1]()) is(fs[2]())
fs = {} local i = 1 while i <= 3 do local j = i fs[i] = function() return j end i = i + 1 end is(fs[1](), fs[2](), fs[3]())
fs = {} i = 1 while i <= 3 do local j = i fs[i] = function() j = j + 1 return j end if i == 2 then break end i = i + 1 end is(fs[1](), fs[2](), fs[2]())
fs = {} for n = 1, 2 do do local q = n fs[n] = function() return q end end end is(fs[1](), fs[2]())
local function outer() local v = 1 local function mid() local function inner() v = v + 1 return v end return inner end return mid(), function() return v end end
local inn, see = outer() is(inn(), inn(), see())
local function rec(n) local v = n local f = function() return v end if n > 0 then local g = rec(n - 1) return function() return f() + g() end end return f end is(rec(4)())
do local f1, f2 do local shared = 0 f1 = function() shared = shared + 1 return shared end f2 = function() return shared end end is(f1(), f1(), f2()) end
do local function g(p) p = p + 1 local h = function() return p end p = p + 1 return h end is(g(1)()) end
do local function v(...) local n = select("#", ...) return function() return n end end is(v(1, 2)(), v()()) end
do local r = {} for n = 1, 3 do r[n] = function(d) n = n + d return n end end is(r[1](5), r[1](5), r[2](1)) end
do local t = {} for n = 1, 2 do local function self(m) if m == 0 then return n end return self(m - 1) end t[n] = self end is(t[1](3), t[2](3)) end
do local log = {} local function f() log[#log + 1] = "f" return 1 end local v = f() local v = f() + v is(v, #log) end
do local z = 1 local g = function() z = z + 1 end pcall(function() g() error("x") end) g() is(z) end
do local z = 1 local ok = pcall(function() local w = z z = 5 error("x") end) is(ok, z) end
do local z = 0 local co = coroutine.wrap(function() while true do z = z + 1 coroutine.yield(z) end end) co() co() is(z, co(), z) end
glob = 5 local function readglob() return glob end is(readglob()) glob = 6 is(readglob(), _G.glob, _G["glob"]) _G.glob = 7 is(glob) rawset(_G, "glob", 8) is(glob) glob = nil
do local _G = {glob = "shadowed"} is(_G.glob) end
do local print = 5 is(print) end
do local self = 1 local o = {} function o:m() return self == o end is(o:m(), self) end
do local function f(f) return f end is(f(3)) end
do local function p(a, b) local a = b return a, b end is(p(1, 2)) end
is((function() local t = {} for w = 1, 3 do local w = w * 2 t[#t + 1] = w end return unpack(t) end)())
