-- The base library and math.
print(select("#"), select("#", nil, nil), select(2, "a", "b", "c"), select(-1, "a", "b", "c"))
print((select(-2, "a", "b", "c")))
print(pcall(function() local _ = select(0, 1) end))
print(pcall(function() local _ = select(-3, 1) end))
print(select(5, 1, 2) == nil)
print(type(nil), type(1), type("x"), type({}), type(print), type(true), type(coroutine.create(function() end)))
print(pcall(function() local _ = type() end))
print(rawequal("a", "a"), rawequal({}, {}), rawget(setmetatable({}, { __index = { x = 1 } }), "x"))
local t = rawset({}, "k", "v"); print(t.k)
print(pcall(function() local _ = rawset(1, 2, 3) end))
print(pcall(function() local _ = setmetatable(1, {}) end))
print(pcall(function() local _ = setmetatable({}, 1) end))
print(pcall(function() local _ = setmetatable(setmetatable({}, { __metatable = "no" }), {}) end))
print(getmetatable(setmetatable({}, { __metatable = "no" })))
print(getmetatable({}), getmetatable(1))
for k, v in pairs({ 10, 20, 30 }) do print(k, v) end
for i, v in ipairs({ 1, 2, nil, 4 }) do print(i, v) end
print(next({}), next({ 5 }), (next({ a = 1 })))
print(pcall(function() local _ = pairs() end), pcall(function() local _ = ipairs() end))
print(pcall(function() local _ = next(1) end))
local seen = {}
local d = { a = 1, b = 2, c = 3, 1, 2, 3 }
for k in pairs(d) do seen[#seen + 1] = tostring(k) d[k] = nil end
table.sort(seen) print(table.concat(seen, ","), next(d))
print(math.huge, -math.huge, math.pi, math.huge == 1 / 0)
print(math.max(1, 3, 2), math.min(3, 1, 2), math.abs(-3), math.floor(-3.5), math.ceil(-3.5))
print(pcall(function() local _ = math.max() end), pcall(function() local _ = math.floor("x") end))
print(math.floor("3.7"))
print(math.fmod(7, 3), math.fmod(-7, 3), math.mod(7, 3), math.pow(2, 10), 2 ^ 10)
print(math.modf(3.25), math.modf(-3.25), math.modf(math.huge))
print(math.frexp(8), math.ldexp(0.5, 4), math.log10(1000), math.sqrt(16))
print(math.deg(math.pi), math.rad(180) == math.pi)
print(pcall(function() local _ = math.random(0) end), pcall(function() local _ = math.random(3, 2) end), pcall(function() local _ = math.random(1, 2, 3) end))
for i = 1, 100 do
  local a, b, c = math.random(), math.random(6), math.random(-3, 3)
  assert(a >= 0 and a < 1 and b >= 1 and b <= 6 and b == math.floor(b) and c >= -3 and c <= 3)
end
print(-7 % 3, 7 % -3, 5.5 % 2)
print("a" .. "b" .. 1 .. 2.5, 1 .. "", 1e15 .. "", 0.1 .. "", -0 .. "")
print(pcall(function() return "a" .. {} end) == false, pcall(function() return nil .. "x" end) == false)
local mt = { __concat = function(a, b) return (type(a) == "table" and "T" or a) .. "+" .. (type(b) == "table" and "T" or b) end }
local c = setmetatable({}, mt)
print(c .. "x", "x" .. c, 1 .. c, c .. c, "a" .. "b" .. c .. "d" .. "e")
local function two() return "p", "q" end
print("x" .. two(), two() .. "x", ("x" .. two()) .. "y", #{ "x" .. two() })
print(#("x"):rep(10), ("abc"):upper())
print(_VERSION, _G._G == _G)
