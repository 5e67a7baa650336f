script { doc = "What sipp's calls go through: each says by its user which way, and to whose ports" }

sip.listen "edge" { url = "udp://127.0.0.1:15060" }

handler "second" { on = sip.on_failure, run = function(tx, m)
  if tx.data.second then return sip.relay { to = tx.data.second, record_route = true } end
end }

rule "ways" { on = sip.request_in, match = { method = "INVITE" }, run = function(tx, m)
  local way, a, b = m.ruri.user:match "^(%a+)-(%d+)-(%d+)$"
  if m.to.tag ~= "" or not way then return end
  a, b = "sip:a@127.0.0.1:" .. a, "sip:b@127.0.0.1:" .. b
  if way == "fork" then return sip.relay { fork = { a, b }, record_route = true } end
  if way == "mute" or way == "standby" then tx.fr_timer = "300ms" end
  if way == "serial" or way == "standby" then
    tx.data.second = b
    return sip.relay { to = a, record_route = true, on_failure = "second" }
  end
  if way == "long" then return sip.relay { to = a, record_route = true, timeout = "300ms" } end
  return sip.relay { to = a, record_route = true }
end }

rule "told" {
  on = { sip.request_in, sip.e2ecancel_in, sip.request_fwded, sip.response_in, sip.on_branch_failure, sip.on_failure_ro, sip.on_failure,
    sip.response_fwded, sip.response_pre_out, sip.response_out, sip.ack_neg_in, sip.e2eack_in },
  always = true,
  run = function(tx, m, b)
    if tx.method ~= "INVITE" then return end
    local what = m.is_request and m.method or m.faked and m.code .. " by " .. m.faked_by or m.code
    if this.event == "sip.request_fwded" then what = b.index end
    alert("told", { way = tx.request.ruri.user, call = tx.call_id, hook = this.event .. " " .. what })
  end,
}
