script { doc = "A record of each call: who called whom, for how long, and who hung up", tags = { "sip", "accounting" } }

rule "follow" {
  doc = "Runs whatever other rules decide, and decides nothing itself.",
  on = sip.request_in, match = { method = "INVITE" }, always = true,
  run = function(tx, m)
    if m.to.tag ~= "" or not this.verdict then return end
    local ok, why = dialog.track(tx, { profiles = { "from:" .. m.from.user }, data = { agent = m:header "User-Agent" } })
    if not ok then log.warn("a call is not accounted", { call = m.call_id, why = why }) end
  end,
}

rule "write" {
  doc = "One line of JSON a call, in the daemon's records.",
  on = sip.dialog_end,
  run = function(call)
    if this.code == 401 or this.code == 407 then return end -- the caller tries again, and says who it is
    if this.code == 0 then return end -- a policy dropped it: there was no call, and a scanner is not to fill the records
    alert("cdr", {
      call_id = this.call_id, from = this.from, to = this.to, source = call.source, agent = call.data.agent,
      began = call.began, answered = call.answered, ended = call.ended,
      setup = this.setup, duration = this.duration, code = this.code, ended_by = this.ended_by,
    })
  end,
}
