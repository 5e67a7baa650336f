script { doc = "Logs the host and path of HTTP requests, by an event of its own", tags = { "http" } }

-- mtcp_define_event(MOS_ON_CONN_NEW_DATA, IsHTTPRequest, NULL)
event "http_host" {
  doc = "The client's data begins with a request line",
  on = flow.new_data,
  when = function(c, d)
    return d.from == "client" and (d:starts "GET " or d:starts "POST " or d:starts "HEAD " or d:starts "PUT ")
  end,
}

-- headers reads the request at place at of what the client sent; nil until it is whole.
local function headers(c, at)
  local text = c.client.sent:peek(at, 4096)
  return text and text:match "^(.-\r\n)\r\n"
end

local function report(c, head)
  local method, path = head:match "^(%u+) (%S+)"
  local host = ("\n" .. head):match "\n[Hh][Oo][Ss][Tt]:%s*([^\r\n]+)"
  alert("http", { conn = c, method = method, host = host or c.server.ip, path = path })
end

rule "request" {
  on = event.http_host,
  run = function(c, d)
    local head = headers(c, d.offset)
    if head then return report(c, head) end
    c.data.at = d.offset
  end,
}

rule "rest" {
  doc = "A request that came in pieces",
  on = flow.new_data,
  run = function(c, d)
    local at = c.data.at
    if not at or d.from ~= "client" or d.offset == at then return end
    local head = headers(c, at)
    if head then
      c.data.at = nil
      report(c, head)
    end
  end,
}
