script { doc = "The first rules" }

-- An alert for an address that opens many connections in a short time.
rule "busy" {
  on        = flow.conn_start,
  threshold = { by = "client.ip", count = 20, within = "10s" },
  run       = function(c) alert("busy", { client = c.client.ip, last = c.server.endpoint }) end,
}

-- A line of the log for each connection that ended. `hookd doc flow.conn` lists what there is to say.
rule "ended" {
  on  = flow.conn_end,
  run = function(c)
    log.info("ended", { from = c.client.endpoint, to = c.server.endpoint, why = this.reason, sent = c.client.bytes, got = c.server.bytes })
  end,
}
