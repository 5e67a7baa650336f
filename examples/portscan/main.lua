script { doc = "Finds hosts that knock at many ports, and blocks them", tags = { "scan" } }

rule "scan" {
  doc = "Ten connections that were refused or reset before a byte was said, within five seconds",
  on = flow.conn_end,
  match = { reason = "rst", client = { bytes = 0 }, server = { bytes = 0 } },
  threshold = { by = "client.ip", count = 10, within = "5s" },
  run = function(c)
    local ok, why = flow.block(c.client, "10m", "port scan")
    alert("port-scan", { from = c.client.ip, last = c.server.endpoint, blocked = ok or false, why = why })
  end,
}

rule "released" {
  on = flow.block_end,
  run = function() alert("released", { prefix = this.prefix, stopped = this.pkts }) end,
}
