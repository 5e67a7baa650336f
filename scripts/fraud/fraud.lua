script { doc = "Bounds what a stolen password can cost: calls at once, dear destinations, how many of them and when", tags = { "sip", "fraud" } }

-- Numbers that cost much, by their beginning; those that are never called.
local dear = { "00900", "0090", "00881", "00882", "+900", "+881", "+882" }
local never = { "00979", "+979" }
local at_once, dear_an_hour = 4, 3
local allowed = store "fraud.allowed" { kind = "set", key = "string", file = "allowed.txt" }
local tries = store "fraud.tries" { kind = "counter", key = "string", ttl = "1h", max = 100000 }

local function begins(number, list)
  for _, prefix in ipairs(list) do
    if number:sub(1, #prefix) == prefix then return true end
  end
  return false
end

rule "guard" {
  doc = "Asked before rules that route, since its priority is higher.",
  on = sip.request_in, match = { method = "INVITE" }, priority = 50,
  run = function(tx, m)
    if m.to.tag ~= "" then return end
    local user, number = m.from.user, m.ruri.user
    if begins(number, never) then
      alert("fraud", { user = user, number = number, source = m.source.endpoint, why = "never" })
      return sip.reply(403)
    end
    if dialog.count("guard:" .. user) >= at_once then
      alert("fraud", { user = user, number = number, source = m.source.endpoint, why = "calls at once" })
      return sip.reply(486, "Too Many Calls")
    end
    if begins(number, dear) and not allowed:has(user) and tries:incr(user) > dear_an_hour then
      alert("fraud", { user = user, number = number, source = m.source.endpoint, why = "dear calls" })
      return sip.reply(403)
    end
    dialog.track(tx, { profiles = { "guard:" .. user }, timeout = "4h" })
  end,
}
