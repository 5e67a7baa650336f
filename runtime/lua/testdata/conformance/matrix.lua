-- Every library function with every combination of edge arguments.
local edge = {{}, 0, 1, -1, 2.5, 300, "", "a", "10", "a%w", true, function(...) return ... end}
local none = {}
local function arg(i) if i == 0 then return nil end return edge[i] end
local function shown(v) if v == "" then return "''" end if type(v) == "string" or type(v) == "number" then return tostring(v) end return type(v) end
local function result(ok, ...)
  local t = {ok and "" or "!"}
  for i = 1, math.min(select("#", ...), 4) do t[#t + 1] = show((select(i, ...))) end
  return table.concat(t, " ")
end
local skip = {random = true, randomseed = true, yield = true, running = true, gfind = true, getn = true, setn = true, dump = true, date = true}
local function tidy(ok, e, ...) ok, e = unnamed(ok, e) return ok, e, ... end
local function fill() edge[1] = {3, 1, 2} end
local function try(name, f)
  fill() is(name, result(tidy(pcall(f))))
  for i = 0, #edge do
    fill() local out = {result(tidy(pcall(f, arg(i))))}
    for j = 0, #edge do
      fill() out[#out + 1] = result(tidy(pcall(f, arg(i), arg(j))))
    end
    is(name, shown(arg(i)), table.concat(out, ";"))
  end
end
local function three(name, f)
  for i = 0, #edge do
    for j = 0, #edge do
      local out = {}
      for k = 0, #edge do fill() out[#out + 1] = result(tidy(pcall(f, arg(i), arg(j), arg(k)))) end
      is(name, shown(arg(i)), shown(arg(j)), table.concat(out, ";"))
    end
  end
end
local function names(t) local l = {} for k, v in pairs(t) do if type(v) == "function" and not skip[k] then l[#l + 1] = k end end table.sort(l) return l end
for _, lib in ipairs({"string", "table", "math", "coroutine"}) do
  for _, n in ipairs(names(_G[lib])) do try(lib .. "." .. n, _G[lib][n]) end
end
for _, n in ipairs({"assert", "error", "ipairs", "pairs", "pcall", "rawequal", "rawget", "rawset", "select", "setmetatable", "tonumber", "tostring", "type", "unpack", "xpcall"}) do try(n, _G[n]) end
for _, n in ipairs({"sub", "byte", "find", "match", "gsub", "rep", "format"}) do three(n, string[n]) end
for _, n in ipairs({"concat", "insert", "remove"}) do three(n, table[n]) end
for _, n in ipairs({"rawset", "select", "unpack", "tonumber", "type"}) do three(n, _G[n]) end
