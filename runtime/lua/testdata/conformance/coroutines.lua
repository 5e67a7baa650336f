-- 2.11 and 5.2 Coroutines.
local co = coroutine.create(function(a, b) is(a, b) local c = coroutine.yield(a + b) is(c) local d, e = coroutine.yield(c * 2) is(d, e) return "end", 1 end)
is(coroutine.status(co)) is(coroutine.resume(co, 1, 2)) is(coroutine.status(co)) is(coroutine.resume(co, 10)) is(coroutine.resume(co, "x", "y")) is(coroutine.status(co)) is(coroutine.resume(co)) is(coroutine.resume(co, 1))
co = coroutine.create(function() error("broken", 0) end) is(coroutine.resume(co)) is(coroutine.status(co)) is(coroutine.resume(co))
co = coroutine.create(function() error({}) end) is(coroutine.resume(co))
co = coroutine.create(function() local x = nil + 1 end) is(coroutine.resume(co))
co = coroutine.create(function() end) is(coroutine.resume(co)) is(coroutine.resume(co))
co = coroutine.create(function(...) return select("#", ...), ... end) is(coroutine.resume(co, nil, nil))
co = coroutine.create(function(...) return select("#", coroutine.yield()) end) coroutine.resume(co) is(coroutine.resume(co, nil, nil))
local w = coroutine.wrap(function(...) local n = 0 while true do n = n + select("#", ...) coroutine.yield(n) end end) is(w(1, 2), w(), w())
w = coroutine.wrap(function() return 1, 2 end) is(w()) refuses(w) refuses(w)
w = coroutine.wrap(function() error("in wrap", 0) end) refuses(w) refuses(w)
w = coroutine.wrap(function() error("with position") end) refuses(w)
w = coroutine.wrap(function() error({}) end) refuses(w)
w = coroutine.wrap(function() local x = {} return x.y.z end) refuses(w)
is(coroutine.running()) is(type(coroutine.running()))
co = coroutine.create(function() return coroutine.running() == co, coroutine.status(co), coroutine.resume(co) end) is(coroutine.resume(co))
do local outer outer = coroutine.create(function() local inner = coroutine.create(function() return coroutine.status(outer), coroutine.resume(outer) end) return coroutine.resume(inner) end) is(coroutine.resume(outer)) end
refuses(coroutine.resume)
refuses(coroutine.resume, 5)
refuses(coroutine.status, nil)
refuses(coroutine.create)
refuses(coroutine.create, {})
refuses(coroutine.wrap, "x")
-- generators
local function gen(n) return coroutine.wrap(function() for i = 1, n do coroutine.yield(i) end end) end
local s = 0 for v in gen(10) do s = s + v end is(s)
local function permgen(a, n) n = n or #a if n <= 1 then coroutine.yield(a) else for i = 1, n do a[n], a[i] = a[i], a[n] permgen(a, n - 1) a[n], a[i] = a[i], a[n] end end end
local perms = {} for p in coroutine.wrap(function() permgen({1, 2, 3}) end) do perms[#perms + 1] = table.concat(p) end is(unpack(perms))
local function filter(p, g) return coroutine.wrap(function() while true do local n = g() if n == nil then return end if math.fmod(n, p) ~= 0 then coroutine.yield(n) end end end) end
local primes, g = {}, coroutine.wrap(function() for n = 2, 30 do coroutine.yield(n) end end) while true do local p = g() if p == nil then break end primes[#primes + 1] = p g = filter(p, g) end is(unpack(primes))
-- yields in various places
w = coroutine.wrap(function() return coroutine.yield(1) end) is(w()) is(w(7, 8))
w = coroutine.wrap(function() local t = {coroutine.yield(1), coroutine.yield(2)} return #t, t[1], t[2] end) is(w()) is(w("a", "x")) is(w("b", "c"))
w = coroutine.wrap(function() return (coroutine.yield(1)) end) w() is(w(7, 8))
w = coroutine.wrap(function() local x = coroutine.yield(1) + coroutine.yield(2) return x end) w() w(10) is(w(20))
w = coroutine.wrap(function() if coroutine.yield(1) then return "then" else return "else" end end) w() is(w(false))
w = coroutine.wrap(function() while coroutine.yield("loop") do end return "out" end) is(w(), w(true), w(false))
w = coroutine.wrap(function() for i = coroutine.yield("init"), coroutine.yield("limit") do coroutine.yield(i) end return "done" end) is(w(), w(3), w(4), w(), w())
w = coroutine.wrap(function() local function deep(n) if n == 0 then return coroutine.yield("bottom") end return (deep(n - 1)) end return deep(20) end) is(w(), w("back"))
w = coroutine.wrap(function(...) coroutine.yield(...) return ... end) is(w(1, 2)) is(w(3))
w = coroutine.wrap(function() local t = {f = coroutine.yield} return t.f("field") end) is(w(), w("r"))

w = coroutine.wrap(function() return pcall(error, "x", 0) end) is(w())
w = coroutine.wrap(function() local c = coroutine.wrap(function() coroutine.yield("inner") return "inner end" end) coroutine.yield(c()) coroutine.yield("between") coroutine.yield(c()) end) is(w(), w(), w())
w = coroutine.wrap(function() coroutine.yield(pcall(function() return 5 end)) end) is(w())
co = coroutine.create(function() local ok, e = pcall(function() local c = coroutine.create(function() error("E", 0) end) return coroutine.resume(c) end) return ok, e end) is(coroutine.resume(co))
-- many
do local cs = {} for i = 1, 100 do cs[i] = coroutine.wrap(function() for j = 1, 3 do coroutine.yield(i * j) end end) end local sum = 0 for j = 1, 3 do for i = 1, 100 do sum = sum + cs[i]() end end is(sum) end
do local c = coroutine.create(function() coroutine.yield() end) coroutine.resume(c) coroutine.resume(c) is(coroutine.status(c), coroutine.resume(c)) end
is(pcall(coroutine.resume, coroutine.create(function() return 1 end)))
do local x = 0 local c = coroutine.wrap(function() x = x + 1 coroutine.yield() x = x + 1 end) c() is(x) c() is(x) end
do local c c = coroutine.create(function() return coroutine.status(c) end) is(coroutine.resume(c)) is(coroutine.status(c)) end
