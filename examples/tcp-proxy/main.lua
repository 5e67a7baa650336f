-- Ends TLS in front of a server that has none, for those who may come, and not for too many of one address.
local blocked = store "blocked" { kind = "set", key = "cidr", file = "blocked.txt" }
local upstream = "tcp://127.0.0.1:17000"

loop.listen "front" {
  url = "tls://127.0.0.1:17443",
  tls = { cert = "cert.pem", key = "key.pem" },
  limits = { conns = 1000, per_ip = 4, rate = 50, idle = "5m" },
}

rule "blocked" { on = loop.accept, match = { listener = "front", client = { ip = blocked } }, priority = 10, verdict = loop.reset }
rule "front" { on = loop.accept, match = { listener = "front" }, verdict = loop.proxy(upstream) }

rule "refused" {
  on = loop.limit, threshold = { by = "from", count = 20, within = "10s" },
  run = function(l) alert("refused", { from = this.from, limit = this.limit }) end,
}
rule "down" { on = loop.error, match = { fault = "pipe" }, run = function(c) alert("upstream", { why = this.message }) end }
rule "served" {
  on = loop.close, match = { listener = "front", kind = "tcp" },
  run = function(c) log.info("served", { from = c.client.ip, bytes_in = c.bytes_in, bytes_out = c.bytes_out, why = this.reason }) end,
}
