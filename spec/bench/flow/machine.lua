-- The five fields of five.lua, read by a handler that runs in the Lua machine: the order of
-- addresses, which it asks for, has no native form.
script { doc = "A handler in the Lua machine that reads five small fields of each packet", shards = "each" }

local last = ""

rule "fields" {
  on = { flow.pkt_in.snd, flow.pkt_in.rcv },
  run = function(c, pkt)
    local ip, port, len, flags, ttl = c.client.ip, c.server.port, pkt.len, pkt.flags, pkt.ttl
    if ip > last then last = ip end
  end,
}
