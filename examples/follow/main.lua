script { doc = "Follows web and ssh connections, each with handlers of its own", tags = { "tcp", "binding" } }

handler "first-line" {
  doc = "Reports the first bytes that one side sends, then leaves the connection alone",
  on = flow.new_data,
  match = { d = { from = { "client", "server" } } },
  run = function(c, d)
    if d.from ~= this.param then return end
    alert("first-line", { from = d.from, line = d:peek(200):match "^[^\r\n]+" })
    return rule.off
  end,
}

handler "silent" {
  doc = "The client said nothing since the connection began",
  run = function(c) alert("silent", { client = c.client.endpoint }) end,
}

rule "web" {
  on = flow.conn_start,
  scope = "dst port 80",
  run = function(c) c:on(flow.new_data, "first-line", "client") end,
}

rule "ssh" {
  on = flow.conn_start,
  scope = "dst port 22",
  run = function(c)
    local most = 0
    c:after("30s", "silent")
    c:on(flow.new_data, function(c, d)
      if d.from == "client" then c:off "silent" end
      most = math.max(most, d.len)
    end)
    c:every("100ms", function(c) alert("session", { run = this.count, from_client = c.client.bytes, longest = most }) end)
  end,
}
