script { doc = "Makes headers and numbers what the next server expects, and hides what is inside", tags = { "sip" } }

local country, international = "+49", "00"
local inside = { "P-Asserted-Identity", "P-Charging-Vector", "X-Internal-Route", "History-Info" }
local software = { "User-Agent", "Server" }

-- 0049…, 0… and +49… become +49….
local function e164(number)
  if not number:find "^%d%d%d+$" then return number end -- a prefix without a number is none
  if number:sub(1, #international) == international then return "+" .. number:sub(#international + 1) end
  if number:sub(1, 1) == "0" then return country .. number:sub(2) end
  return number
end

rule "numbers" {
  doc = "Runs before rules that route, and decides nothing.",
  on = sip.request_in, match = { method = { "INVITE", "MESSAGE" } }, priority = 60,
  run = function(tx, m)
    if m:in_dialog() then return end
    local user = e164(m.ruri.user)
    if user ~= m.ruri.user then m.ruri.user = user end
    if m.max_forwards > 70 then m:set_header("Max-Forwards", "70") end
  end,
}

-- Either end may say what it is in either field.
local function hide(m)
  for _, name in ipairs(inside) do m:remove_header(name) end
  for _, name in ipairs(software) do
    if m:header(name) then m:set_header(name, "hookd") end
  end
end

rule "outwards" {
  doc = "What leaves names no software and nothing of the inside.",
  on = { sip.request_fwded, sip.e2eack_in, sip.e2eack_retr_in }, -- the ACK of an answered call has no branch
  run = function(tx, m) hide(m) end,
}

rule "back" { on = sip.response_fwded, run = function(tx, m) hide(m) end }
