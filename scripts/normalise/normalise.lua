script { doc = "Makes headers and numbers what the next server expects, and hides what is inside", tags = { "sip" } }

local country, international = "+49", "00"
local inside = { "P-Asserted-Identity", "P-Charging-Vector", "X-Internal-Route", "History-Info" }

-- 0049…, 0… and +49… become +49….
local function e164(number)
  if number:sub(1, 1) == "+" or not number:find "^%d+$" then return number end
  if number:sub(1, #international) == international then return "+" .. number:sub(#international + 1) end
  if number:sub(1, 1) == "0" then return country .. number:sub(2) end
  return number
end

rule "numbers" {
  doc = "Runs before rules that route, and decides nothing.",
  on = sip.request_in, match = { method = { "INVITE", "MESSAGE" } }, priority = 60,
  run = function(tx, m)
    if m.to.tag ~= "" then return end
    local user = e164(m.ruri.user)
    if user ~= m.ruri.user then m.ruri.user = user end
    if m.max_forwards > 70 then m:set_header("Max-Forwards", "70") end
  end,
}

rule "outwards" {
  doc = "What leaves names no software and nothing of the inside.",
  on = sip.request_fwded,
  run = function(tx, m)
    for _, name in ipairs(inside) do m:remove_header(name) end
    if m:header "User-Agent" then m:set_header("User-Agent", "hookd") end
  end,
}

rule "back" {
  on = sip.response_fwded,
  run = function(tx, m)
    for _, name in ipairs(inside) do m:remove_header(name) end
    if m:header "Server" then m:set_header("Server", "hookd") end
  end,
}
