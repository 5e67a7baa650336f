script { doc = "Bounds what a stolen password can cost: calls at once, dear destinations, how many of them and when", tags = { "sip", "fraud" } }

-- Numbers that cost much, by their beginning in each way to write it; those that are never called.
local dear = { "0900", "0049900", "+49900", "00900", "+900", "00881", "+881", "00882", "+882" }
local never = { "00979", "+979" }
local at_once, dear_an_hour = 4, 3
local allowed = store "fraud.allowed" { kind = "set", key = "string", file = "allowed.txt" }
local tries = store "fraud.tries" { kind = "counter", key = "string", ttl = "1h", max = 100000 }

-- Escapes and separators mean nothing to a gateway, so they hide nothing here.
local function begins(number, list)
  number = number:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end):gsub("[-.()]", "")
  for _, prefix in ipairs(list) do
    if number:sub(1, #prefix) == prefix then return true end
  end
  return false
end

-- The number that a Route holds, if such a one should not be called unseen: it takes the URI's place at a strict router, and behind one it is where the call goes
-- (RFC 3261, 16.4 and 16.6). Loose routers are not dialled, so who is honest never has one there.
local function hidden(m)
  for _, route in ipairs(m:headers "Route") do
    for number in route:gmatch "[sS][iI][pP][sS]?:([^<>@]*)" do
      if begins(number, dear) or begins(number, never) then return number end
    end
  end
end

-- A call goes on to where it went. One that is aimed at a dear number meanwhile is a new one here: in a call, too, the URI is its sender's to write.
local function goes_on(m, number)
  if not m:in_dialog() then return false end
  if not begins(number, dear) and not begins(number, never) then return true end
  for _, c in ipairs(dialog.list("guard:" .. m.from.user)) do
    if c.call_id == m.call_id and c.uri:find(number, 1, true) then return true end
  end
  return false
end

rule "guard" {
  doc = "Asked before rules that route, since its priority is higher.",
  on = sip.request_in, match = { method = "INVITE" }, priority = 50,
  run = function(tx, m)
    local user, number = m.from.user, m.ruri.user
    local aimed = hidden(m)
    if aimed then
      alert("fraud", { user = user, number = aimed, source = m.source.endpoint, why = "hidden" })
      return sip.reply(403)
    end
    if goes_on(m, number) then return end
    if begins(number, never) then
      alert("fraud", { user = user, number = number, source = m.source.endpoint, why = "never" })
      return sip.reply(403)
    end
    if dialog.count("guard:" .. user) >= at_once then
      alert("fraud", { user = user, number = number, source = m.source.endpoint, why = "calls at once" })
      return sip.reply(486, "Too Many Calls")
    end
    if begins(number, dear) and not allowed:has(user) and (tries:get(user) or 0) >= dear_an_hour then
      alert("fraud", { user = user, number = number, source = m.source.endpoint, why = "dear calls" })
      return sip.reply(403)
    end
    dialog.track(tx, { profiles = { "guard:" .. user }, timeout = "4h" })
  end,
}

rule "count" {
  doc = "What goes out counts. An INVITE that is asked for a password does not: a user sends it twice, and anybody in a user's name.",
  on = sip.request_fwded, match = { m = { method = "INVITE" } },
  run = function(tx, m)
    local asked = tx.request
    if this.branch == 0 and asked and begins(tx.ruri.user, dear) and not goes_on(asked, tx.ruri.user) then tries:incr(m.from.user) end
  end,
}
