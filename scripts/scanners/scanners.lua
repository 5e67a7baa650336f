script { doc = "Drops scanners and guessers of passwords: first their requests, then all their packets", tags = { "sip", "security" } }

local agents = { "friendly-scanner", "sipvicious", "sipcli", "sipsak", "sundayddr", "VaxSIPUserAgent", "pplsip" }

-- No answer tells a scanner that somebody is here. Where the daemon is inline, the flow stack drops what the address sends next.
local function block(m, why)
  alert("scanner", { ip = m.source.ip, why = why, agent = m:header "User-Agent", uri = m.ruri.text })
  flow.block(m.source.ip, "1h", why)
  return sip.drop
end

rule "agent" {
  doc = "Tools that say who they are.",
  on = sip.request_in, priority = 100,
  run = function(tx, m)
    local agent = (m:header "User-Agent" or ""):lower()
    for _, known in ipairs(agents) do
      if agent:find(known:lower(), 1, true) then return block(m, "agent") end
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
    flow.block(tx.source.ip, "1h", "guessing")
  end,
}

rule "flood" {
  doc = "More requests than a phone makes.",
  on = sip.request_in, priority = 99, threshold = { by = "source.ip", count = 300, within = "10s", fire = "each" },
  verdict = sip.drop,
}
