local function show(v)
  if type(v) == "string" then
    v = string.gsub(v, "0x%x%x%x%x%x%x%x+", "address")
    return '"' .. string.gsub(v, '[%c\\"\127-\255]', function(c) return string.format("\\%03d", string.byte(c)) end) .. '"'
  end
  if type(v) == "number" then
    if v ~= v then return "nan" end
    return tostring(v)
  end
  if v == nil or type(v) == "boolean" then return tostring(v) end
  return type(v)
end
local function list(...)
  local t = {}
  for i = 1, select("#", ...) do t[i] = show((select(i, ...))) end
  return table.concat(t, " ")
end
local function is(line, ...) print(line .. ": " .. list(...)) end
local function plain(v)
  if type(v) ~= "string" then return v end
  v = string.gsub(v, "%a+ '[^']*' %((a %a+ value)%)", "%1")
  v = string.gsub(v, " %(with key '[^']*'%)", "")
  return v
end
local function told(line, ok, ...)
  if ok then print(line .. ": no error: " .. list(...)) else print(line .. ": error: " .. list(plain((...)))) end
end
local function fails(line, f, ...) told(line, pcall(f, ...)) end
local function unnamed(ok, e, ...)
  if not ok and type(e) == "string" then e = string.gsub(e, "(bad argument #%d+) to '[^']*'", "%1") end
  return ok, e, ...
end
local function refuses(line, f, ...) told(line, unnamed(pcall(f, ...))) end
local nz = tonumber("-0")
