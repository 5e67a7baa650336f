-- 2.3 and 2.4: variables and statements.
local a, b, c = 1, 2 is(a, b, c)
a, b = b, a is(a, b)
a, b, c = (function() return 1, 2, 3 end)() is(a, b, c)
a, b, c = (function() return 1, 2, 3 end)(), 10 is(a, b, c)
a, b, c = 0, (function() return 1, 2, 3 end)() is(a, b, c)
a, b, c = ((function() return 1, 2, 3 end)()) is(a, b, c)
a, b = 1, 2, 3 is(a, b)
a = 1, 2 is(a)
local i, t = 3, {} i, t[i] = i + 1, 20 is(i, t[3], t[4])
t = {1, 2, 3} t[1], t[2], t[3] = t[3], t[1], t[2] is(t[1], t[2], t[3])
local x, y, z = 1, 2, 3 x, y, z = y, z, x is(x, y, z)
x, y = y, x, x is(x, y)
do local q = {1} local w = q q, q[1] = {5}, 9 is(q[1], w[1]) end
do local n = 0 local function f() n = n + 1 return n end local r = {} r[f()], r[f()] = f(), f() is(r[1], r[2]) end
do local p = {} p.a, p.b, p.c = 1, nil is(p.a, p.b, p.c) end
do local f = function() return nil end local p = {a = 1} p.a = f() is(p.a) end
do local flag, v = nil, "old" v = flag and 5 is(v) v = "old" v = flag or 5 is(v) v = "old" v = not flag and "y" is(v) v = v and nil is(v) end
do local v = 1 v = v and v + 1 is(v) v = (v == 2) and "two" or "other" is(v) end
g1, g2 = 1, 2 g1, g2 = g2, g1 is(g1, g2) g1 = nil
-- blocks
do local a = 10 is(a) do local a = 20 is(a) end is(a) end is(a)
-- while
local n = 0 while n < 3 do n = n + 1 end is(n)
while true do n = n + 1 if n > 10 then break end end is(n)
while nil do is("never") end while false do is("never") end
n = 0 while n < 10 do n = n + 1 if n % 2 == 0 then if n > 5 then break end end end is(n)
-- repeat: the condition sees the block's locals
n = 0 repeat local done = n >= 3 n = n + 1 until done is(n)
n = 0 repeat n = n + 1 if n == 5 then break end until false is(n)
repeat local x = 1 until x == 1
do local fs = {} local k = 0 repeat local v = k fs[#fs + 1] = function() return v end k = k + 1 until v == 2 is(fs[1](), fs[2](), fs[3]()) end
-- if
local function kind(v) if v == 1 then return "one" elseif v == 2 then return "two" elseif v then return "more" else return "none" end end
is(kind(1), kind(2), kind(3), kind(nil), kind(false))
if nil then is("never") elseif false then is("never") else is("else") end
if 0 then is("0 is true") end if "" then is("'' is true") end
-- numeric for
local out = {} for i = 1, 3 do out[#out + 1] = i end is(unpack(out))
out = {} for i = 3, 1 do out[#out + 1] = i end is(#out)
out = {} for i = 3, 1, -1 do out[#out + 1] = i end is(unpack(out))
out = {} for i = 1, 2, 0.25 do out[#out + 1] = i end is(unpack(out))
out = {} for i = 0, 1, 0.1 do out[#out + 1] = i end is(#out)
out = {} for i = -1, -3, -1 do out[#out + 1] = i end is(unpack(out))
out = {} for i = 1, 0.5 do out[#out + 1] = i end is(#out)
out = {} for i = 1.5, 3 do out[#out + 1] = i end is(unpack(out))
out = {} for i = 1, 1/0 do out[#out + 1] = i if i == 4 then break end end is(#out)
out = {} for i = 1, 0/0 do out[#out + 1] = i end is(#out)
out = {} for i = 0/0, 1 do out[#out + 1] = i end is(#out)
out = {} for i = -1/0, -1/0 do out[#out + 1] = i if #out == 3 then break end end is(#out)
out = {} for i = 1, 3, 0/0 do out[#out + 1] = i if #out > 5 then break end end is(#out)
out = {} for i = 2^53, 2^53 + 2 do out[#out + 1] = i if #out > 5 then break end end is(#out)
out = {} for i = 1, 0, 0 do out[#out + 1] = i if #out > 5 then break end end is(#out)
out = {} for i = 1, 2, 0 do out[#out + 1] = i if #out > 5 then break end end is(#out)
out = {} for i = "1", "3" do out[#out + 1] = i end is(unpack(out))
out = {} for i = "1", 3, "2" do out[#out + 1] = i end is(unpack(out))
out = {} for i = " 0x1 ", 2 do out[#out + 1] = i end is(unpack(out))
fails(function() for i = "a", 2 do end end)
fails(function() for i = 1, "b" do end end)
fails(function() for i = 1, 2, {} do end end)
fails(function() for i = nil, 2 do end end)
fails(function() for i = 1, nil do end end)
fails(function() for i = 1, 2, nil do end end)
fails(function() local lim for i = 1, lim do end end)
fails(function() for i = {}, "b", {} do end end)
out = {} for i = 1, 3 do local j = i i = 10 out[#out + 1] = j end is(unpack(out))
do local lim = 3 local c = 0 for i = 1, lim do lim = 10 c = c + 1 end is(c) end
do local fs = {} for i = 1, 3 do fs[i] = function() i = i + 1 return i end end is(fs[1](), fs[1](), fs[2](), fs[3]()) end
do local order = {} local function o(v) order[#order + 1] = v return v end for i = o(1), o(2), o(1) do end is(unpack(order)) end
for i = 10, 1 do is("never") end
for i = 1, 1 do is(i) end
for i = 1, 3 do if i == 2 then break end is(i) end
-- generic for
out = {} for k, v in pairs({10, 20, x = 30}) do out[#out + 1] = tostring(k) .. "=" .. v end table.sort(out) is(unpack(out))
out = {} for k, v in ipairs({1, 2, nil, 4}) do out[#out + 1] = v end is(unpack(out))
out = {} for k, v in next, {5, 6} do out[#out + 1] = v end is(unpack(out))
out = {} for k, v in next, {5, 6}, 1 do out[#out + 1] = v end is(unpack(out))
out = {} for a, b, c, d in (function(s, k) if k < 3 then return k + 1, "b", s end end), "state", 0 do out[#out + 1] = a .. b .. c .. tostring(d) end is(unpack(out))
out = {} for w in string.gmatch("one two", "%a+") do out[#out + 1] = w end is(unpack(out))
do local t = setmetatable({}, {__call = function(self, s, k) if (k or 0) < 2 then return (k or 0) + 1 end end}) out = {} for k in t do out[#out + 1] = k end is(unpack(out)) end
fails(function() for k in 5 do end end)
fails(function() for k in nil do end end)
fails(function() for k in {} do end end)
fails(function() local it for k in it do end end)
fails(function() for k in pairs(nil) do end end)
fails(function() for k in pairs() do end end)
fails(function() for k in ipairs() do end end)
fails(function() for k in ipairs(5) do end end)
do local fs = {} for _, v in ipairs({"a", "b"}) do fs[#fs + 1] = function() return v end end is(fs[1](), fs[2]()) end
do local c = 0 for k in function() c = c + 1 if c < 4 then return c end end do c = c + 1 end is(c) end
do local t = {a = 1, b = 2, c = 3} for k in pairs(t) do t[k] = nil end is(next(t)) end
do local t = {1, 2, 3} for k, v in pairs(t) do t[k] = v * 2 end is(t[1], t[2], t[3]) end
do local s = 0 for i = 1, 3 do for j = 1, 3 do if j == 2 then break end s = s + i * j end end is(s) end
do local s = "" for _ in pairs({1}) do if false then local y end s = s .. "x" end is(s) end
is((function() for _ in pairs({1}) do if nil then local y end end return 1 end)())
is((function() while true do do return 5 end end end)())
is((function() for i = 1, 5 do if i == 3 then return i, i * 2 end end end)())
-- local functions
local function fact(n) if n <= 1 then return 1 end return n * fact(n - 1) end is(fact(10), fact(20))
local f = function(n) return n end do local f = function(n) return n > 0 and f(n) or "outer" end is(f(3), f(0)) end
local o = {} function o.p(a) return a end function o:q(a) return self == o, a end o.r = {} function o.r.s() return "deep" end function o.r:t() return self == o.r end
is(o.p(1), o:q(2), o.r.s(), o.r:t()) is(o.q(nil, 3))
-- return
is((function() return end)()) is((function() return nil end)()) is((function() return (nil) end)()) is((function() do return 1, 2 end end)())
is(select("#", (function() end)()), select("#", (function() return nil, nil end)()), select("#", ((function() return nil, nil end)())))
