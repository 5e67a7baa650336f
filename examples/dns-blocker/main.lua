script { doc = "A name server that hides the names on a list, and asks others for the rest", tags = { "dns" } }

local blocked = store "dns-blocked" { kind = "set", key = "string", file = "blocked.txt" }

loop.listen "dns" { url = "dns://127.0.0.1:15353" }
loop.listen "dns-tcp" { url = "dns+tcp://127.0.0.1:15353" }

-- The entry of the list that a name is, or is below of.
local function entry(name)
  while name do
    if blocked:has(name) then return name end
    name = name:match "^[^.]*%.(.+)$"
  end
end

rule "block" {
  doc = "Names on the list, and below them, lead nowhere",
  on = loop.dns_query,
  run = function(c, name, type)
    local found = entry(name)
    if not found then return end
    alert("blocked-name", { name = name, entry = found, client = c.client.ip })
    return loop.answer({ "0.0.0.0", "::" }, 300)
  end,
}

rule "own" {
  doc = "A name of this house",
  on = loop.dns_query,
  match = { name = "printer.lan" },
  run = function(c, name, type) return loop.answer("192.0.2.7") end,
}

rule "other-lan" {
  doc = "What is not known of this house does not exist: nobody else is asked about it",
  on = loop.dns_query,
  priority = -1,
  match = { name = is.suffix ".lan" },
  verdict = loop.nxdomain,
}

rule "rest" {
  doc = "All else is asked of the system's name servers",
  on = loop.dns_query,
  priority = -10,
  run = function(c, name, type) return loop.forward() end,
}
