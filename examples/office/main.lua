script { doc = "What goes on in a small office: web, ssh, and no telnet", tags = { "tcp", "http", "ssh" } }

local visits = store "visits" { kind = "counter", key = "ip", ttl = "1h" }

event "http_request" {
  doc = "The first bytes of a request that a client sent",
  on = flow.new_data,
  when = function(c, d) return d.from == "client" and (d:starts "GET " or d:starts "HEAD " or d:starts "POST ") end,
}

rule "requests" {
  doc = "Logs who asked which host for what",
  on = event.http_request,
  run = function(c, d)
    local head = d:peek(1024)
    c:tag "web"
    alert("http-request", {
      line = head:match "^[^\r\n]+",
      host = head:match "\r\n[Hh]ost: *([^\r\n]+)",
      visits = visits:incr(c.client.ip),
    })
  end,
}

rule "ssh-versions" {
  doc = "Notes what both ends of an ssh connection run",
  on = flow.new_data,
  match = { server = { port = 22 } },
  when = function(c, d) return d.offset == 0 and d:starts "SSH-" end,
  run = function(c, d)
    local version = d:peek(255):match "^SSH%-[%d.]+%-([^\r\n]+)"
    c.data[d.from] = version
    state.ssh = state.ssh or {}
    state.ssh[version] = (state.ssh[version] or 0) + 1
  end,
}

rule "ssh-sessions" {
  on = flow.conn_end,
  match = { server = { port = 22 } },
  run = function(c)
    alert("ssh-session", { client = c.data.client, server = c.data.server, why = this.reason, bytes = c.client.bytes + c.server.bytes })
  end,
}

rule "no-telnet" {
  doc = "Telnet is not allowed",
  on = flow.conn_start,
  scope = "dst port 23",
  verdict = flow.cut,
}

timer "report" {
  every = "500ms",
  run = function() log.info("visitors", { n = visits:size() }) end,
}
