script { doc = "A load balancer: calls are spread over gateways, and go to the next one where the first is out of order", tags = { "sip" } }

sip.listen "front" { url = "udp://0.0.0.0:5060" }

dispatcher.set "gateways" {
  destinations = {
    { uri = "sip:192.0.2.10:5080", weight = 2 },
    "sip:192.0.2.11:5080",
    { uri = "sip:192.0.2.12:5080", priority = -1 }, -- only when the others are down
  },
  algorithm = "weighted", probe = "10s", timeout = "2s", failures = 3, successes = 2,
}

rule "unknown" {
  doc = "What says that it is of a call, and is of none that went through here, is nobody's to send on.",
  on = sip.request_in, match = { method = is.none_of "CANCEL" }, priority = 10,
  run = function(tx, m)
    if m.to.tag ~= "" and not m:in_dialog() then return sip.reply(481) end
  end,
}

rule "spread" {
  doc = "New calls and what else begins a transaction of its own. What belongs to a call goes its recorded route by itself.",
  on = sip.request_in, match = { method = { "INVITE", "MESSAGE", "SUBSCRIBE", "OPTIONS" } },
  run = function(tx, m)
    if m.to.tag ~= "" then return end
    local targets = dispatcher.select("gateways", m.call_id)
    if #targets == 0 then return sip.reply(503, "No Gateway", { ["Retry-After"] = "10" }) end
    tx.fr_timer = "3s" -- a gateway that says nothing, not even 100, is left for the next
    return sip.relay { targets = targets, record_route = true }
  end,
}

rule "told" { on = sip.destination, run = function() alert("gateway", { uri = this.uri, up = this.up }) end }
