-- 5.6 Mathematical functions.
is(math.abs(-5), math.abs(5.5), math.abs("-3"), math.ceil(1.2), math.ceil(-1.2), math.floor(1.8), math.floor(-1.2), math.floor(5), math.ceil(-0.5), math.floor(1e300), math.abs(nz))
is(math.sqrt(16), math.sqrt(2), math.sqrt(-1), math.exp(0), math.exp(1), math.log(1), math.log(10), math.log(0), math.log(-1), math.log10(1000), math.log10(2), math.log(8, 2), math.pow(2, 10), math.pow(2, 0.5))
is(math.sin(0), math.cos(0), math.tan(0), math.sin(1), math.cos(1), math.tan(1), math.asin(1), math.acos(1), math.atan(1), math.asin(2), math.atan2(1, 1), math.atan2(-1, -1), math.atan2(0, -1), math.atan2(0, 0), math.sinh(1), math.cosh(1), math.tanh(1))
is(math.deg(math.pi), math.rad(180), math.deg(1), math.rad(1), math.pi, math.huge, -math.huge)
is(math.fmod(7, 3), math.fmod(-7, 3), math.fmod(7, -3), math.fmod(5.5, 2), math.fmod(1, 0), math.fmod(5, math.huge), math.mod(7, 3))
is(math.modf(3.7)) is(math.modf(-3.7)) is(math.modf(5)) is(math.modf(1/0)) is(math.modf(-1/0)) is(math.modf(0.5)) is(math.modf(-0.5)) is(math.modf("2.5")) is(math.modf(0/0))
is(math.frexp(8)) is(math.frexp(0)) is(math.frexp(-0.3)) is(math.frexp(1e300)) is(math.ldexp(0.5, 4), math.ldexp(1, 1000), math.ldexp(1, 2000), math.ldexp(1, -2000), math.ldexp(3, 2.9))
is(math.max(1), math.max(1, 3, 2), math.max(-1, -5), math.max("10", 9), math.min(1, 3, 2), math.min(5), math.max(1, 1/0), math.min(-1/0, 0), math.max(2, 2.5), math.min("2", 3))
is(math.max(0/0, 1), math.max(1, 0/0), math.min(0/0, 1), math.min(1, 0/0))
math.randomseed(42) do local ok = true for i = 1, 100 do local r = math.random() ok = ok and r >= 0 and r < 1 end is(ok) end
do local ok = true for i = 1, 100 do local r = math.random(6) ok = ok and r >= 1 and r <= 6 and r == math.floor(r) end is(ok) end
do local ok = true for i = 1, 100 do local r = math.random(-3, 3) ok = ok and r >= -3 and r <= 3 and r == math.floor(r) end is(ok, math.random(5, 5), math.random(1), math.random("1")) end
do math.randomseed(1) local a = {math.random(1000), math.random(1000)} math.randomseed(1) is(a[1] == math.random(1000), a[2] == math.random(1000)) end
refuses(math.random, 0)
refuses(math.random, -1)
refuses(math.random, 3, 2)
refuses(math.random, 1, 2, 3)
refuses(math.random, {})
refuses(math.randomseed)
refuses(math.randomseed, "x")
for _, f in ipairs({"abs", "acos", "asin", "atan", "ceil", "cos", "cosh", "deg", "exp", "floor", "frexp", "log", "log10", "modf", "rad", "sin", "sinh", "sqrt", "tan", "tanh", "max", "min"}) do
  refuses(math[f]) refuses(math[f], "x") refuses(math[f], {}) refuses(math[f], nil) refuses(math[f], true) refuses(math[f], "0x10")
end
for _, f in ipairs({"atan2", "fmod", "ldexp", "pow"}) do
  refuses(math[f]) refuses(math[f], 1) refuses(math[f], 1, "x") refuses(math[f], "x", 1) refuses(math[f], 8, 2) refuses(math[f], "8", "2")
end
do local names = {} for k in pairs(math) do names[#names + 1] = k end table.sort(names) is(unpack(names)) end
do local names = {} for k in pairs(string) do if k ~= "dump" then names[#names + 1] = k end end table.sort(names) is(unpack(names)) end
do local names = {} for k in pairs(table) do names[#names + 1] = k end table.sort(names) is(unpack(names)) end
do local names = {} for k in pairs(coroutine) do names[#names + 1] = k end table.sort(names) is(unpack(names)) end
is(math.floor(2^31 + 0.5), math.floor(-2^31 - 0.5), 2^53 + 1, 1e15 + 0.5, math.floor(1e15 + 0.5), 0.1 + 0.2, 1 - 0.9, 100 * 1.1)
