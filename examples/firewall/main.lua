script { doc = "A firewall by a file of rules, with counts of hits: mOS's sample simple_firewall", tags = { "tcp", "policy" } }

local policy = store "policy" { kind = "map", key = "cidr", file = "rules.txt" }
local hits = store "hits" { kind = "counter", key = "string" }

-- decide reads the rule that holds for a client: whether connections to the port pass, and its text.
local function decide(ip, port)
  local text = policy:get(ip)
  if not text then return true, "default" end
  local action, ports = text:match "^(%a+)%s*(.*)$"
  local meant = ports == "" or (" " .. ports .. " "):find(" " .. port .. " ", 1, true) ~= nil
  return (action == "accept") == meant, text
end

rule "firewall" {
  doc = "The first SYN decides; what follows of the connection is dropped with it",
  on = flow.conn_start,
  run = function(c)
    local pass, text = decide(c.client.ip, c.server.port)
    hits:incr(text)
    if not pass then
      c:tag "refused"
      return flow.cut
    end
  end,
}

timer "hits" {
  every = "1s",
  run = function()
    for text, n in hits:each() do alert("hits", { rule = text, n = n }) end
  end,
}
