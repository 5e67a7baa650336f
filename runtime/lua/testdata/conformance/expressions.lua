-- 2.5 Expressions.
is(7 + 3, 7 - 3, 7 * 3, 7 / 2, 7 % 3, 2 ^ 10, -7)
is(7 % 3, -7 % 3, 7 % -3, -7 % -3, 7.5 % 2, -7.5 % 2, 5 % 1.5, 0 % 5, -0.5 % 1)
is(1 % 0, 0 % 0, (1/0) % 5, -1 % 1e300)
is(1 / 0, -1 / 0, 0 / 0, 2 ^ 0.5, 2 ^ -1, (-8) ^ (1 / 3), 0 ^ 0, (-2) ^ 2, -2 ^ 2, 2 ^ 3 ^ 2, 10 ^ 308 * 10)
is(1 + 2 * 3 - 4 / 2, (1 + 2) * 3, 2 * 3 % 4, -3 ^ 2, not 1 == 2, not (1 == 2), 2 ^ -2, -2 ^ -2)
is("a" .. "b" .. "c" == "abc", 1 .. 2 == "12", "x" .. 1 + 2, 2 .. 3 ^ 2, "a" .. -1)
is(1 < 2 == true, "a" < "b" == true, 1 + 1 == 2 and "y" or "n", nil == false, 1 == 1 ~= false)
is(nil and 1, false and 1, 1 and nil, 1 and 2, nil or 1, false or nil, 1 or 2, nil or false, false or false)
is(nil and nil or 5, 1 and 2 or 3, nil and 2 or 3, not nil and 4, not (nil and 4), 1 and not 1)
is(1 or error("never"), nil and error("never"), (false or 7) + 1, (nil or "x") .. "y")
local n = 0 local function c(v) n = n + 1 return v end
is(c(nil) and c(1), n) n = 0 is(c(1) or c(2), n) n = 0 is((c(1) and c(false)) or c(3), n)
do local a, b = nil, 5 local x = a and b or "d" is(x) x = a or b is(x) x = b and a is(x) x = not a is(x) x = a == nil and b is(x) end
is(#"abc" + 1, -#"abc", #{1, 2, 3} * 2, not #"", #{#{}, #"x"}, #"a" .. "b")
is(- - 2, not not 1, - -(-2), -(-"2"))
is(2 - -2, 2 --[[c]] - 1, 2 -
-3)
-- tables
local t = {1, 2, 3; x = 4, ["y z"] = 5, [10] = 6, [1 + 1 + 9] = 7, 8} is(t[1], t[2], t[3], t[4], t.x, t["y z"], t[10], t[11])
t = {(function() return 1, 2, 3 end)()} is(#t) t = {(function() return 1, 2, 3 end)(), 10} is(#t, t[1], t[2]) t = {((function() return 1, 2, 3 end)())} is(#t)
t = {x = 1, x = 2} is(t.x) t = {[1] = "a", "b"} is(t[1]) t = {"b", [1] = "a"} is(t[1]) t = {nil, nil, 3} is(t[3]) t = {f = function(a) return a end} is(t.f(9))
t = {[true] = 1, [2.5] = 2, [-1] = 3} is(t[true], t[2.5], t[-1]) t = {{1, {2}}, 3,} is(t[1][2][1], t[2])
fails(function() return {[nil] = 1} end)
fails(function() return {[0/0] = 1} end)
t = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, k = "k", 52, 53} is(#t, t[50], t[51], t[53], t.k)
t = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, unpack({51, 52})} is(#t, t[50], t[51], t[52])
-- calls
local function va(...) return select("#", ...), ... end
is(va()) is(va(nil)) is(va(1, nil)) is(va(va())) is(va(va(1), 2)) is((va(1, 2))) is(va((va(1, 2))))
local s = "abc" is(s:len(), s:upper():lower(), ("x"):rep(3), #s:rep(2)) is(va"str") is(va{1}) is(va[[long]]) is(type{}, type"x", (va"x"))
local function id(...) return ... end is(id(1, 2, 3)) is((id(1, 2, 3))) is(id(), 1) is(id(1, nil, nil)) is({id(1, 2)}, #{id(1, 2), id(3, 4)})
local function named(a, b, ...) return a, b, ... end is(named()) is(named(1)) is(named(1, 2, 3, 4)) is(select("#", named(1)))
local function arg5(a, ...) local x, y = ... return a, x, y, (...) end is(arg5(1, 2, 3)) is(arg5(1)) is((function(...) return ... end)(nil, nil))
local function pack(...) return {n = select("#", ...), ...} end is(pack(1, nil, 3).n, pack(1, nil, 3)[3], pack().n)
local function sum(...) local r = 0 for i = 1, select("#", ...) do r = r + (select(i, ...)) end return r end is(sum(), sum(1, 2, 3), sum(unpack({1, 2, 3, 4}, 2)))
is((function(a, ...) local function inner(...) return ... end return inner(...) end)(1, 2, 3))
is((function(a, a) return a end)(1, 2)) is((function(...) local a, b, c = ... return c, b, a end)(1, 2, 3)) is((function(...) return -(...), not ..., #{...} end)(1, 2))
local function tail(n) if n == 0 then return "done", 1 end return tail(n - 1) end is(tail(5000))
local function even(n) local function odd(m) if m == 0 then return false end return even(m - 1) end if n == 0 then return true end return odd(n - 1) end is(even(100))
local meth = {v = 1} function meth:get(d) return self.v + (d or 0) end is(meth:get(), meth:get(2), meth.get({v = 9}), meth["get"](meth, 3))
is(("%s-%s"):format(1, 2), ("x"):byte(), (" a "):match("%a"), #("x"):rep(5))
do local o = {} function o:chain() self.n = (self.n or 0) + 1 return self end is(o:chain():chain():chain().n) end
do local calls = {} local function f(v) calls[#calls + 1] = v return v end local r = f(1) + f(2) * f(3) is(r, unpack(calls)) end
do local calls = {} local function f(v) calls[#calls + 1] = v return v end local r = {f(1), [f(2)] = f(3), f(4)} is(#calls) end
do local calls = {} local function f(v) calls[#calls + 1] = v return v end local r = f("a") .. f("b") .. f("c") is(r, unpack(calls)) end
do local calls = {} local function f(v) calls[#calls + 1] = v return v end local r = f(2) > f(1), f(1) >= f(2) is(r, unpack(calls)) end
do local x = 1 local function set(v) x = v return v end is(x + set(5), x) end
is((function(a, b) b = b or "dflt" return a, b end)(1)) is((function(t) t = t or {} return #t end)())
is((("x")), ((1)), (nil), ((nil)), (false))
fails(function() local t = {} t.x.y() end)
fails(function() local t = {a = {}} t.a.b.c = 1 end)
fails(function() local t = {} t:m() end)
fails(function() return #nil end)
fails(function() return 2 ^ {} end)
fails(function() return -nil end)
fails(function() local a = "x" return -a end)
fails(function() local up = nil return (function() return up.x end)() end)
fails(function() local up = nil return (function() return up() end)() end)
fails(function() string.nothing() end)
fails(function() ("x")() end)
fails(function() ({})() end)
fails(function() local a = {} ; (a.b or a.c)() end)
