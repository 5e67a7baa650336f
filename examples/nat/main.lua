script { doc = "Source NAT: what comes from inside leaves with one outer address, as in mOS's sample", tags = { "nat" } }

local outer = "203.0.113.1"
local first, last = 1025, 65534
local ports = store "ports" { kind = "map", key = "number", max = 65536 }

-- The port that a connection has outside, taken when its first packet comes. nil when all are taken.
local function port_of(c)
  if c.data.port then return c.data.port end
  for _ = first, last do
    local port = first + (state:incr("next") - 1) % (last - first + 1)
    if not ports:has(port) then
      ports:put(port, c.cid)
      c.data.port = port
      c:tag("nat")
      alert("translated", { port = port })
      return port
    end
  end
end

rule "translate" {
  doc = "Out with the outer address and a port of its own, back in with those that the client has",
  on = { flow.pkt_in.snd, flow.datagram },
  match = { client = { ip = is.cidr "10.0.0.0/8" } },
  on_error = flow.drop,
  run = function(c, pkt)
    if pkt.ttl <= 1 then return flow.drop end
    local ttl, numbered = pkt.ttl - 1, c.proto == "tcp" or c.proto == "udp"
    if this.side == "server" then
      if pkt.dst ~= outer then return flow.drop end
      return numbered and flow.replace { dst = c.client.ip, dst_port = c.client.port, ttl = ttl }
        or flow.replace { dst = c.client.ip, ttl = ttl }
    end
    if not numbered then return flow.replace { src = outer, ttl = ttl } end
    local port = port_of(c)
    if not port then return flow.drop end
    return flow.replace { src = outer, src_port = port, ttl = ttl }
  end,
}

rule "errors" {
  doc = "ICMP errors about what was translated, with what they quote",
  on = flow.icmp_error,
  match = { client = { ip = is.cidr "10.0.0.0/8" } },
  run = function(c, pkt)
    if pkt.dst ~= outer then return end
    if not c.data.port then return flow.replace { dst = c.client.ip } end
    return flow.replace { dst = c.client.ip, dst_port = c.client.port }
  end,
}

rule "unasked" {
  doc = "Nobody outside begins a connection",
  on = { flow.conn_start, flow.udp_start },
  match = { server = { ip = outer } },
  verdict = flow.cut,
}

rule "stray" {
  doc = "Segments for ports that no connection has",
  on = flow.orphan,
  match = { pkt = { proto = 6, dst = outer } },
  verdict = flow.drop,
}

rule "over" {
  doc = "The port is free again",
  on = { flow.conn_end, flow.udp_end },
  match = { tags = "nat" },
  run = function(c) ports:remove(c.data.port) end,
}
