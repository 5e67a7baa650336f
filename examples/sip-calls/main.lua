script { doc = "Who called whom, with what outcome and for how long, out of a capture", tags = { "sip" } }

local function tenths(seconds) return math.floor(seconds * 10 + 0.5) / 10 end

rule "began" {
  on = sip.request_in, match = { method = "INVITE" },
  run = function(tx, m)
    if m.to.tag ~= "" then return end -- of a call that is there already
    state[m.call_id] = { from = m.from.user, to = m.ruri.user, began = this.ts }
  end,
}

-- What a proxy with this rule would have answered is in the output, as a decision.
rule "premium" {
  on = sip.request_in, match = { method = "INVITE", ruri = { user = is.prefix "00900" } },
  verdict = sip.reply(403, "Forbidden"),
}

rule "answered" {
  on = sip.response_out, match = { method = "INVITE" },
  run = function(tx, m)
    local call = state[tx.call_id]
    if not call then return end
    if m.code < 300 then
      call.answered = call.answered or this.ts
    else
      alert("failed", { from = call.from, to = call.to, code = m.code, tries = (tx.data.copies or 0) + 1 })
      state[tx.call_id] = nil
    end
  end,
}

rule "impatient" {
  on = sip.req_retr_in, match = { method = "INVITE" },
  run = function(tx) tx.data.copies = (tx.data.copies or 0) + 1 end,
}

rule "ended" {
  on = sip.request_in, match = { method = "BYE" },
  run = function(tx, m)
    local call = state[m.call_id]
    if not call then return end
    alert("call", { from = call.from, to = call.to, rang = tenths(call.answered - call.began), seconds = tenths(this.ts - call.answered), by = m.from.user })
    state[m.call_id] = nil
  end,
}

-- A mark that a proxy with this rule would have made.
rule "mark" {
  on = sip.request_fwded, match = { method = "INVITE" },
  run = function(tx, m, b) m:set_header("X-Branch", tostring(b.index)) end,
}
