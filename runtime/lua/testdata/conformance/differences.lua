local function has(name) return rawget(_G, name) ~= nil end
local inf = 1/0
local co = coroutine.create(function() return pcall(coroutine.yield) end)
local sorting = coroutine.create(function() table.sort({3, 2, 1}, function() coroutine.yield() end) end)
local object = setmetatable({}, {__unm = function(a, b) return rawequal(a, b) end})
local odd = setmetatable({}, {__add = setmetatable({}, {__call = function() return "called" end})})

-- Scripts load no code at run time: `load`, `loadstring`, `loadfile`, `dofile`, `module` and `string.dump` are absent.
is(has("load"), has("loadstring"), has("loadfile"), has("dofile"), has("module"))
is(string.dump)
-- `require` takes the modules of the script's own folders only, and there is no table `package`.
is(has("package"))
-- Nothing reaches files, the process or other functions: `io` and `debug` are absent, `os` has `time`, `date`, `clock` and `difftime`.
is(has("io"), has("debug"))
for _, name in ipairs({"execute", "exit", "getenv", "remove", "rename", "setlocale", "tmpname"}) do is(name, (pcall(function() return os[name] end))) end
-- `setfenv`, `getfenv` and `newproxy` are absent.
is(has("setfenv"), has("getfenv"), has("newproxy"))
-- Nothing steers the collector: `collectgarbage` and `gcinfo` are absent, and there are no weak tables.
is(has("collectgarbage"), has("gcinfo"))
-- Reading a global that is not there is an error that names what was perhaps meant; `rawget(_G, name)` is nil.
fails(function() return undeclared end)
-- Local time is UTC, and `os.clock` is the time of the event too.
is(os.date("*t", 0).hour == os.date("!*t", 0).hour, os.clock() == os.clock())
-- `tostring` of a table, function or thread shows a number of the script's own, not an address.
is(tostring({}):match("0x0000000%x$") ~= nil)
-- The metatable of strings is hidden: `getmetatable("")` is "string".
is(getmetatable("").__index == string)
-- A coroutine may be made of a library function.
is(pcall(coroutine.create, string.upper))
-- A `yield` that is refused says what is in its way.
fails(coroutine.yield)
is(coroutine.resume(co))
-- A `yield` in a function that `table.sort` or `string.gsub` calls, in a metamethod or in an iterator ends the coroutine with another message.
is(coroutine.resume(sorting))
-- A message about a bad argument names the function of the library, whatever name it was called by.
is(pcall(string.rep))
-- In a method call, the object counts as the first argument in such a message.
fails(function() return ("x"):rep({}) end)
-- A message names the variable at fault only where the line has no other that it could be; an upvalue is called a local.
is(select(2, pcall(function() local t, u = {}, {} return t.x() + u.y() end)))
-- `next` takes a key that is not in the table for one that was removed.
is(pcall(next, {}, "never there"))
-- The metamethod `__unm` gets its operand once.
is(-object)
-- The metamethods of operators are functions; a table with `__call` is none.
fails(function() return odd + 1 end)
-- `x % y` is exact for great quotients, and `x % inf` is `x` as in Lua 5.3.
is(5 % inf, -5 % -inf)
is(5 % -inf)
-- A number that is infinite or NaN, taken for a position or a count, is the nearest one there is.
is(("hello"):sub(inf), ("hello"):sub(1, inf))
-- Text from `string.format` keeps zero bytes.
is(("%c"):format(0), ("%s"):format("a\0b"))
-- Text with a zero byte is no number.
is(tonumber("1\0"))
-- A table's length, where elements are nil, is that of its last element.
is(#{1, 2, nil, 4, [10] = 10})
-- Text of more than 1,000 bytes is no number.
is(tonumber(("0"):rep(2000)))
-- A lookup goes through at most four tables by way of `__index` or `__newindex`; one more is called a loop.
is(pcall(function() local t = {x = 1} for i = 1, 7 do t = setmetatable({}, {__index = t}) end return t.x end))
-- No function makes a string of more than 1 MiB.
is((pcall(string.rep, "x", 2e6)))
-- Calls nest at most 1,024 deep, protected calls and coroutines 150.
is((pcall(function() local function deep(n) if n > 0 then return 1 + deep(n - 1) end return 0 end return deep(3000) end)))
is((function() local function deep(n) if n > 0 then local ok, v = pcall(deep, n - 1) return v end return "bottom" end return deep(170) end)())
