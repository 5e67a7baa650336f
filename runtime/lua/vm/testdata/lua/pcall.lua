-- Protected calls: results, error values, nesting, upvalues.
print(pcall(function() end))
print(pcall(function() return nil end))
print(pcall(function(...) return ... end, 1, nil, 3, nil))
print(select("#", pcall(function(...) return ... end, 1, nil, 3, nil)))
print(pcall(error))
print(pcall(error, "x"))
print(pcall(error, "x", 0))
print(pcall(error, nil))
print(pcall(function() error("m") end))
print(pcall(function() error("m", 0) end))
local function thrower() error("m", 2) end
print(pcall(function()
  thrower()
end))
local e = setmetatable({}, { __tostring = function() return "E" end })
local ok, got = pcall(error, e)
print(ok, got == e, tostring(got))
print(pcall(pcall, error))
print(pcall(pcall, error, "x"))
print(pcall(nil) == false)
print(pcall(setmetatable({}, { __call = function(self, a, b) return a, b end }), 7, 8))
print(select("#", pcall(function() return end)))
print(xpcall(function() return 1, 2 end, print))
print(xpcall(function() error("a", 0) end, function(m) return m .. "!", 2 end))
print(xpcall(function() error({}) end, function(m) return type(m) end))
local n = 0
local function inc() n = n + 1 return n end
for i = 1, 5 do pcall(function() inc() if i % 2 == 0 then error(i) end end) end
print(n)
local function deep(k) if k == 0 then error("bottom", 0) end local ok, m = pcall(deep, k - 1) error(m .. k, 0) end
print(pcall(deep, 20))
local fs = {}
for i = 1, 3 do
  pcall(function() local y = i * 10 fs[i] = function() y = y + 1 return y end error("z") end)
end
print(fs[1](), fs[1](), fs[2](), fs[3]())
print(assert(1, 2, 3))
print(pcall(assert, false))
print(pcall(assert, nil, "why"))
do
  local log = {}
  local ok, m = pcall(function()
    local ok, m = pcall(function() log[#log + 1] = "in" error("inner", 0) end)
    log[#log + 1] = tostring(ok) .. m
    error("outer", 0)
  end)
  print(ok, m, table.concat(log, " "))
end
