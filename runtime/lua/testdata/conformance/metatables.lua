-- 2.8 Metatables: every event.
local mt = {} local function new(v) return setmetatable({v = v}, mt) end
local function val(x) return type(x) == "table" and x.v or x end
for _, op in ipairs({"add", "sub", "mul", "div", "mod", "pow", "concat", "lt", "le", "eq", "call"}) do mt["__" .. op] = function(a, b, ...) return op .. "(" .. tostring(val(a)) .. "," .. tostring(val(b)) .. ")" end end
local a, b = new("a"), new("b")
is(a + b, a + 1, 1 + a, a + "x", "x" + a, "1" + a, a - b, a * b, a / b, a % b, a ^ b)
is(a .. b, a .. 1, 1 .. a, "s" .. a, a .. "s", "p" .. "q" .. a, a .. "p" .. "q", 1 .. 2 .. a)
is(a < b, a <= b, a > b, a >= b, a == b, a ~= b, a == 1, a ~= nil, rawequal(a, b), rawequal(a, a))
is(a(), a(1), a(1, 2))
fails(function() return a < 1 end)
fails(function() return "x" <= a end)
is(nil == a, a == a, {} == {}, a == {})
local other = setmetatable({v = "o"}, {__add = function() return "other" end, __eq = function() return true end, __lt = function() return true end})
is(a + other, other + a, a == other, other == other)
fails(function() return a < other end)
mt.__eq = nil is(a == b) local eq = function() return true end
local m1, m2 = {__eq = eq, __lt = eq}, {__eq = eq, __lt = eq} is(setmetatable({}, m1) == setmetatable({}, m2), setmetatable({}, m1) < setmetatable({}, m2))
do local one = setmetatable({}, {__lt = function(x, y) return false end}) local two = setmetatable({}, getmetatable(one)) is(one <= two, one < two, one >= two) end
do local one = setmetatable({}, {__lt = function(x, y) return nil end, __le = function() return 1 end, __eq = function() return 0 end}) local two = setmetatable({}, getmetatable(one)) is(one < two, one <= two, one == two, one ~= two, not (one == two)) end
do local t = setmetatable({}, {__unm = function(x) return "minus" end}) is(-t) end
do local t = setmetatable({1, 2}, {__len = function() return 42 end}) is(#t) end
do local t = setmetatable({}, {__add = function(x, y) return 1, 2, 3 end}) is(t + 1) is((t + 1)) is({t + 1, t + 1}) end
do local t = setmetatable({}, {__concat = function(x, y) return {} end}) is(t .. "x", "x" .. t) end
-- index
local t = setmetatable({own = 1}, {__index = {inherited = 2}}) is(t.own, t.inherited, t.none, t[1])
t = setmetatable({}, {__index = function(self, k) return k .. "!" end}) is(t.x, t["y z"], t[1], rawget(t, "x"))
t = setmetatable({}, {__index = function(self, k) return nil, 5 end}) is(t.x) is((t.x))
local base = setmetatable({b = "base"}, {__index = {bb = "base of base"}}) t = setmetatable({}, {__index = base}) is(t.b, t.bb, t.c)
t = setmetatable({}, {__index = setmetatable({}, {__index = function(self, k) return rawequal(self, t), k end})}) is(t.q)
t = setmetatable({}, {__index = "string"}) is(t.len == string.len, t.none)
t = setmetatable({}, {__index = 5}) fails(function() return t.x end)
t = setmetatable({x = false}, {__index = function() return "called" end}) is(t.x, t.y)
t = setmetatable({1, 2, nil, 4}, {__index = function(_, k) return k end}) is(t[1], t[3], t[5], #t >= 2)
local loop = setmetatable({}, {}) getmetatable(loop).__index = loop fails(function() return loop.x end)
-- newindex
local log = {} t = setmetatable({}, {__newindex = function(self, k, v) log[#log + 1] = tostring(k) .. "=" .. tostring(v) end}) t.x = 1 t[1] = 2 t.x = 3 is(unpack(log)) is(rawget(t, "x"))
local store = {} t = setmetatable({old = 1}, {__newindex = store}) t.x = 1 t.old = 2 is(t.x, store.x, t.old, store.old)
t = setmetatable({}, {__newindex = function(self, k, v) rawset(self, k, v * 2) end}) t.x = 2 is(t.x) t.x = 5 is(t.x)
t = setmetatable({}, {__newindex = setmetatable({}, {__newindex = function(s, k, v) log = {k, v} end})}) t.deep = 1 is(unpack(log))
t = setmetatable({}, {__newindex = 5}) fails(function() t.x = 1 end)
t = setmetatable({x = nil}, {__newindex = function() log = "new" end}) t.x = nil is(log)
loop = setmetatable({}, {}) getmetatable(loop).__newindex = loop fails(function() loop.x = 1 end)
t = setmetatable({}, {__newindex = function(s, k, v) rawset(s, k, v) end}) t[1], t[2] = "a", "b" is(#t, t[1], t[2])
-- call
t = setmetatable({}, {__call = function(self, ...) return select("#", ...), ... end}) is(t()) is(t(1, nil)) is(t"x") is((t{})) is(pcall(t, 1)) is(t(t(1)))
t = setmetatable({}, {__call = setmetatable({}, {__call = function() return "nested" end})}) fails(function() return t() end)
local obj = {} obj.m = setmetatable({}, {__call = function(self, o, x) return o == obj, x end}) is(obj:m(5)) is(obj.m(obj, 6))
is((function() return setmetatable({}, {__call = function(_, x) return x end})(3) end)())
-- tostring, metatable
is(tostring(setmetatable({}, {__tostring = function(self) return "I am" end})), tostring(setmetatable({}, {__tostring = function() return 5 end})))
fails(function() return tostring(setmetatable({}, {__tostring = 5})) end)
fails(function() print(setmetatable({}, {__tostring = function() return {} end})) end)
is(type(tostring({})), tostring({}):match("^table: ") ~= nil, tostring(print):match("^%a+: ") ~= nil, tostring(coroutine.create(function() end)):match("^thread: ") ~= nil)
is(getmetatable(setmetatable({}, {__metatable = "locked"})), getmetatable({}), getmetatable(setmetatable({}, {__metatable = false})))
fails(function() setmetatable(setmetatable({}, {__metatable = false}), nil) end)
is(getmetatable("x") ~= nil, getmetatable(1), getmetatable(nil), getmetatable(print))
t = setmetatable({}, mt) is(getmetatable(t) == mt, setmetatable(t, nil) == t, getmetatable(t))
-- raw access, absent events
t = setmetatable({}, {__index = function() return 1 end, __newindex = function() end}) rawset(t, "k", 5) is(rawget(t, "k"), rawget(t, "z"), t.z) t.q = 1 is(rawget(t, "q"))
t = setmetatable({1, 2, 3}, {__index = function(_, i) if i <= 6 then return i end end}) local s = 0 for _, v in ipairs(t) do s = s + v end is(s)
t = setmetatable({a = 1}, {__pairs = function() return function() end end, __ipairs = function() end}) s = 0 for k in pairs(t) do s = s + 1 end is(s)
t = setmetatable({}, {__mode = "k"}) t[{}] = 1 is(type(next(t)))
t = setmetatable({}, {__gc = function() end}) is(type(t))
t = setmetatable({}, {__lt = function(x, y) return "truthy" end}) is(t < t, t > t, t <= t)
fails(function() return setmetatable({}, {}) + 1 end)
fails(function() return setmetatable({}, {}) .. "x" end)
fails(function() return setmetatable({}, {}) < setmetatable({}, {}) end)
fails(function() return setmetatable({}, {})() end)
fails(function() return -setmetatable({}, {}) end)
fails(function() local x = setmetatable({}, {__index = function(t, k) error("bad key " .. k) end}) return x.foo end)
-- inheritance as people write it
local Account = {} Account.__index = Account
function Account.new(b) return setmetatable({balance = b}, Account) end
function Account:deposit(v) self.balance = self.balance + v return self end
local Special = setmetatable({}, {__index = Account}) Special.__index = Special
function Special.new(b) return setmetatable(Account.new(b), Special) end
function Special:deposit(v) Account.deposit(self, v * 2) return self end
is(Account.new(1):deposit(2).balance, Special.new(1):deposit(2).balance, getmetatable(Special.new(1)) == Special)
local ro = setmetatable({}, {__index = {x = 1}, __newindex = function(_, k) error("read-only " .. k, 2) end}) fails(function() ro.x = 2 end)
local V = {} V.__index = V V.__add = function(p, q) return setmetatable({x = p.x + q.x}, V) end V.__eq = function(p, q) return p.x == q.x end V.__lt = function(p, q) return p.x < q.x end V.__le = function(p, q) return p.x <= q.x end V.__tostring = function(p) return "V" .. p.x end
local function vec(x) return setmetatable({x = x}, V) end is(tostring(vec(1) + vec(2)), vec(1) == vec(1), vec(1) ~= vec(2), vec(1) < vec(2), vec(2) <= vec(1), vec(3) > vec(2))
do local vs = {vec(3), vec(1), vec(2)} table.sort(vs) is(tostring(vs[1]), tostring(vs[2]), tostring(vs[3])) end
