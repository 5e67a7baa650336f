script { doc = "The smallest relay that stays in the path of calls", tags = { "sip" } }

sip.listen "edge" { url = "udp://127.0.0.1:15060" }

rule "route" {
  doc = "New calls go to one server; requests of a dialog follow its route by themselves.",
  on = sip.request_in, match = { method = { "INVITE", "OPTIONS", "MESSAGE", "REGISTER" } },
  run = function(tx, m)
    if m.to.tag ~= "" then return end
    return sip.relay { to = "sip:" .. m.ruri.user .. "@127.0.0.1:15080", record_route = m.method == "INVITE" }
  end,
}

rule "branch" {
  on = sip.request_fwded, match = { method = "INVITE" },
  run = function(tx, m, b) m:set_header("X-Branch", tostring(b.index)) end,
}

rule "replies" {
  on = sip.response_in,
  run = function(tx, m)
    if m.code == 183 then tx.data.early = true end
  end,
}

rule "answered" {
  on = sip.response_out,
  run = function(tx, m) tx.data.code = m.code end,
}

rule "failed" {
  on = sip.on_failure,
  run = function(tx, m)
    if m.code == 503 then return sip.reply(480) end
  end,
}
