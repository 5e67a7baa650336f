script { doc = "Connections whose client sends again and again", tags = { "tcp" } }

rule "count" {
  on = flow.rexmit.rcv,
  run = function(c) c.data.again = (c.data.again or 0) + 1 end,
}

rule "storm" {
  doc = "Twenty retransmissions of one client within ten seconds",
  on = flow.rexmit.rcv,
  threshold = { by = "client.ip", count = 20, within = "10s" },
  run = function(c, pkt)
    c:tag "lossy"
    alert("storm", { client = c.client.endpoint, server = c.server.endpoint, seq = pkt.seq - c.client.isn, kind = this.kind, side = this.side, so_far = c.data.again })
  end,
}

rule "lossy" {
  doc = "What the storm was in the end",
  on = flow.conn_end,
  match = { tags = "lossy" },
  run = function(c)
    alert("lossy", { client = c.client.endpoint, again = c.data.again, of = c.client.pkts })
  end,
}
