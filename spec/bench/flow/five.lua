-- Five small fields, read at both phases of each TCP packet. What is kept of them keeps the handler
-- from being decided natively.
script { doc = "A handler that reads five small fields of each packet", shards = "each" }

local last

rule "fields" {
  on = { flow.pkt_in.snd, flow.pkt_in.rcv },
  run = function(c, pkt)
    local ip, port, len, flags, ttl = c.client.ip, c.server.port, pkt.len, pkt.flags, pkt.ttl
    last = ip
  end,
}
