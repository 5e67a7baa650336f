script { doc = "Drops scanners and guessers of passwords", tags = { "sip", "security" } }

local agents = { "friendly-scanner", "sipvicious", "sipcli", "sipsak", "sundayddr", "VaxSIPUserAgent", "pplsip" }

local blocked = store "scanners" { kind = "set", key = "ip", ttl = "1h", max = 100000, evict = "oldest" }

-- The flow stack counts what a blocked address sends, and may refuse to block it: never_block holds here, too.
local function block(ip, why)
  if flow.block(ip, "1h", why) then blocked:add(ip) end
end

rule "blocked" {
  doc = "No answer tells a scanner that somebody is here.",
  on = sip.request_in, priority = 101, match = { source = { ip = blocked } },
  verdict = sip.drop,
}

rule "agent" {
  doc = "Tools that say who they are.",
  on = sip.request_in, priority = 100,
  run = function(tx, m)
    local agent = (m:header "User-Agent" or ""):lower()
    for _, known in ipairs(agents) do
      if agent:find(known:lower(), 1, true) then
        alert("scanner", { ip = m.source.ip, why = "agent", agent = m:header "User-Agent", uri = m.ruri.text })
        block(m.source.ip, "agent")
        return sip.drop
      end
    end
  end,
}

rule "guessing" {
  doc = "An address that is refused again and again. That a phone is asked for its password is no refusal, but part of each log-in.",
  on = sip.response_out, match = { m = { code = { 401, 403, 404, 407 } } },
  when = function(tx, m)
    if m.code == 403 or m.code == 404 then return true end
    local asked = tx.request
    return asked ~= nil and (asked:header "Authorization" or asked:header "Proxy-Authorization") ~= nil
  end,
  threshold = { by = "source.ip", count = 20, within = "1m" },
  run = function(tx)
    alert("scanner", { ip = tx.source.ip, why = "refused 20 times in a minute" })
    block(tx.source.ip, "guessing")
  end,
}

rule "flood" {
  doc = "More requests than a phone makes.",
  on = sip.request_in, priority = 99, threshold = { by = "source.ip", count = 300, within = "10s", fire = "each" },
  verdict = sip.drop,
}
