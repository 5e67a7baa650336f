-- Five small fields, read at both phases of each TCP packet and all kept, in variables: a handler
-- that needs no machine and runs natively.
script { doc = "A handler that keeps five small fields of each packet", shards = "each" }

local ip, port, len, flags, ttl

rule "fields" {
  on = { flow.pkt_in.snd, flow.pkt_in.rcv },
  run = function(c, pkt)
    ip, port, len, flags, ttl = c.client.ip, c.server.port, pkt.len, pkt.flags, pkt.ttl
  end,
}
