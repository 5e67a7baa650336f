-- The five fields of five.lua, read by a handler that runs in the Lua machine: the call that it has,
-- though nothing leads to it, has no native form.
script { doc = "A handler in the Lua machine that reads five small fields of each packet", shards = "each" }

local last

rule "fields" {
  on = { flow.pkt_in.snd, flow.pkt_in.rcv },
  run = function(c, pkt)
    local ip, port, len, flags, ttl = c.client.ip, c.server.port, pkt.len, pkt.flags, pkt.ttl
    if not ip then log.warn "no address" end
    last = ip
  end,
}
