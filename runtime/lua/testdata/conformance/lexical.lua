-- 2.1 Lexical conventions.
is("a\nb", 'a\nb', "\a\b\f\n\r\t\v\\\"\'", '\a\b\f\n\r\t\v\\\'\"')
is("\0\00\000", #"\0\00\000", "\65\066\0677", "\1234", "\255")
is("a\
b", "a\z", "\q\-\%")
is([[a]], [[
first newline skipped]], [[

second kept]], [==[a]]b]=]c]==], [[a\n]], #[[]])
is([[a
b]], "it's", 'say "x"')
is(3, 3.0, 3.1416, 314.16e-2, 0.31416E1, 0xff, 0x56, 0XA, 1e2, 1E+2, 1e-2, .5, 5., 0x0)
is(0xffffffff, 0xffffffffff, 1e308, 1e309, -1e309, 123456789012345678, 0012, 08)
is(1e15, 1e14, 123456789012345, 99999999999999, 100000000000000, 1e100, 2^53, 2^63, -2^63)
is(0.1, 1/3, 100/3, 1e-5, 0.0001, 12345.6789012345678, 1e21, 5e-324, 1.7976931348623157e308)
--[[ a long
comment ]] is("after a long comment")
--[==[ another ]] one
]==] is("after a levelled comment")
---[[ no long comment
is("a line comment")
--]]
is(--[[inside]] 1, --[=[ also ]=] 2)
local _ab1, And, AND, _, __x = 1, 2, 3, 4, 5
is(_ab1, And, AND, _, __x)
local t = {["and"] = 1, end_ = 2}; is(t["and"], t.end_)
local a = 1;
local b = 2 local c = 3; is(a, b, c)
is(#"\
", #'\
\
')
is("tab	inside", "high \200\201", #"\200")
is(1--[[x]]+--[[y]]2)
is("a" .. 1 .. 2, 1 .. "", 0x10 .. "", nz .. "", 1e2 .. "", .5 .. "")
is("\r\n", #"\r\n", ("x"):byte(), ("\0x"):len(), ("%d"):format(7))
is(a--b
, b)
is([==[
]]]==], [=[]]]=], [==[]=]]==])
