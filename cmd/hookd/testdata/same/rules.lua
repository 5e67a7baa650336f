-- What scripts keep and where: the output of all of it must not depend on how
-- connections are spread over shards.
script { doc = "Everything that lives longer than a handler" }
state { seen = 0, first = { } }
state.loads = (state.loads or 0) + 1
local talkers = store "talkers" { kind = "counter", key = "ip", ttl = "30s", max = 50 }
local marks   = store "marks" { kind = "map", key = "string", max = 20, evict = "oldest" }

event "busy" { on = flow.new_data, when = function(c, d) return d.len > 200 end }
event "noted" {}

rule "start" { on = flow.conn_start, run = function(c, pkt)
  state.seen = state.seen + 1
  state:incr("p" .. c.server.port)
  c.data.order = state.seen
  if state.seen == 5 then state.first = { at = this.ts, who = c.client.ip } end
  local n = talkers:incr(c.client.ip)
  marks:put(c.cid, { n = n, roll = math.random(1000) })
  log.info("start", { conn = c, seen = state.seen, n = n, loads = state.loads, roll = math.random(), text = tostring({}) })
end }

rule "again" { on = flow.rexmit, threshold = { by = "client.ip", count = 3, within = "10s", fire = "each" }, run = function(c)
  c:tag "lossy"
  log.warn("retransmissions", { conn = c, count = this.count })
end }

rule "tagged" { on = flow.conn_end, match = { tags = "lossy" }, run = function(c)
  alert("lossy", { conn = c, order = c.data.order, roll = math.random(1, 6) })
end }

rule "streams" { on = flow.conn_end, run = function(c)
  local out, back = c.client.sent, c.server.sent
  if out and back then
    log.info("streams", { conn = c, out = hash.crc32(out:peek() or ""), back = hash.crc32(back:peek() or ""), tail = hash.crc32(back:peek(200, math.floor(back:len() / 2)) or "") })
  end
end }
rule "busy" { on = event.busy, threshold = { count = 20, within = "5s" }, run = function(c, d)
  raise(event.noted, { n = d.len, conn = c.id })
end }

rule "noted" { on = event.noted, run = function()
  local known = 0
  for k, v in pairs(this.data) do known = known + 1 end
  state.noted = (state.noted or 0) + known
  log.info("noted", { n = this.data.n, conn = this.data.conn, all = state.noted })
end }

rule "others" { on = flow.conn_end, run = function(c)
  local all = flow.conns()
  local last = all[#all]
  local found = last and flow.find { proto = last.proto == "udp" and "udp" or "tcp", client = last.client, server = last.server }
  if found then
    found:tag("found" .. c.id % 3)
    found.data.by = c.id
    log.info("found", { conn = c, other = found, same = found == last, tags = table.concat(found.tags, ","), data = found.data.order })
  end
end }

rule "icmp" { on = flow.icmp_error, run = function(c) log.info("error", { conn = c, n = state:incr "errors" }) end }
rule "alone" { on = flow.orphan, threshold = { count = 7, within = "60s" }, run = function(_, pkt)
  log.info("orphan", { n = this.count, roll = math.random(100), src = pkt.src })
end }
rule "never" { on = flow.conn_start, match = { server = { port = is.one_of { 23, 445 } } }, verdict = flow.cut }
rule "fails" { on = flow.conn_end, run = function(c)
  if c.id % 5 == 0 then error("no " .. c.id) end
end }
rule "told" { on = hookd.script_error, run = function()
  log.info("told", { line = this.line, n = state:incr "told" })
end }
rule "quiet" { on = hookd.rule_suspended, run = function() alert("suspended", { rule = this.name }) end }

-- What handlers bind, on their own connections and on others.
handler "watch" { on = flow.conn_end, run = function(c, pkt)
  log.info("watched", { conn = c, n = state:incr "watched" })
end }
handler "late" { run = function(c)
  log.info("late", { conn = c, n = state:incr "late", at = this.ts })
end }
rule "bind" { on = flow.conn_start, run = function(c)
  if c.id % 2 == 0 then c:on(flow.conn_end, "watch") end
  if c.id % 3 == 0 then
    local mine = c.client.port
    c:on(flow.new_data, function(c, d)
      log.info("mine", { conn = c, port = mine, len = d.len })
      return rule.off
    end)
  end
  local first = flow.conns()[1]
  if first and first ~= c then
    first:on(flow.conn_end, "watch")
    first:after("500ms", "late")
  end
end }
rule "bar" { on = flow.conn_end, threshold = { by = "client.ip", count = 4, within = "60s" }, run = function(c)
  flow.block(c.client, "2s", "four ends")
end }
rule "barred" { on = flow.block_end, run = function() log.info("free again", { prefix = this.prefix, pkts = this.pkts }) end }

timer "tick" { every = "7s", run = function()
  local names = {}
  for ip, n in pairs(talkers) do names[#names + 1] = ip .. "=" .. n end
  log.info("tick", { n = this.count, seen = state.seen, talkers = table.concat(names, " "), open = #flow.conns(), roll = math.random() })
end }
timer "once" { after = "3s", run = function() log.info("once", { ts = this.ts, os = os.time() }) end }
rule "stop" { on = hookd.stop, run = function()
  for k, v in pairs(marks) do log.info("mark", { key = k, n = v.n, roll = v.roll }) end
  for k, v in pairs(state) do log.info("state", { key = k, value = type(v) == "number" and v or type(v) }) end
end }
