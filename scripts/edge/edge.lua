script { doc = "An edge proxy with a registrar: users log in, are found where they registered, and call each other", tags = { "sip" } }

local domain = "example.com"

sip.listen "edge" { url = "udp://0.0.0.0:5060", names = { domain } }
sip.listen "edge-tcp" { url = "tcp://0.0.0.0:5060", names = { domain } }

-- A user a line: the name, and what digest.ha1(name, domain, password) returns.
local users = store "edge.users" { kind = "map", key = "string", file = "users.txt" }
local kept = store "edge.contacts" { kind = "map", key = "string", persist = true }

local begins = { INVITE = true, REFER = true, MESSAGE = true, SUBSCRIBE = true, PUBLISH = true, OPTIONS = true }

-- Returns who sent a request, or nil and the answer that asks for it.
local function login(m, proxy)
  local name = digest.user(m, domain, proxy)
  local user, why = digest.check { message = m, realm = domain, ha1 = name and users:get(name), proxy = proxy }
  if user then return user end
  if why == "wrong" then log.warn("wrong credentials", { user = name, source = m.source.endpoint, method = m.method }) end
  return nil, sip.reply(proxy and 407 or 401, nil, digest.challenge { realm = domain, proxy = proxy, stale = why == "stale", algorithms = { "MD5" } })
end

-- Says whether what begins something in a call leads to the phone of who is called, by nothing but its URI: its Route is its sender's too. To a phone behind
-- a proxy (Path, RFC 3327) that is the way, so there it takes a login.
local function to_phone(m)
  if not location.has(m.to.uri, m.ruri.text) then return false end
  for _, contact in ipairs(location.lookup(m.to.uri)) do
    if contact.route then return false end
  end
  return true
end

rule "register" {
  doc = "Users bind contacts to their own address, and to no other.",
  on = sip.request_in, match = { method = "REGISTER" }, priority = 10,
  run = function(tx, m)
    if m.to.host:lower() ~= domain then return sip.reply(404) end
    local user, ask = login(m)
    if not user then return ask end
    if user ~= m.to.user then return sip.reply(403) end
    local code, reason, headers = location.save { message = m, nat = #nat.signs(m) > 0 }
    if code == 200 then -- the phone learns that this is who knows its password
      for name, value in pairs(digest.info { message = m, realm = domain, ha1 = users:get(user) } or {}) do headers[name] = value end
    end
    return sip.reply(code, reason, headers)
  end,
}

rule "route" {
  doc = "Who calls as a user of the domain logs in. Calls go to the domain's users, those of its users anywhere. What only looks like a call's is met like what begins one.",
  on = sip.request_in, match = { method = is.none_of { "REGISTER", "CANCEL" } },
  run = function(tx, m)
    -- What is of a call passes. But where the other end is, its sender says: what begins something may only lead to the phone of who is called.
    if m:in_dialog() then
      if not begins[m.method] then return end
      if to_phone(m) then
        m:remove_header "Route"
        return sip.relay {}
      end
    end
    local own = m.from.host:lower() == domain
    if own then
      local user, ask = login(m, true)
      if not user then return ask end
      if user ~= m.from.user then return sip.reply(403) end
      m:remove_header "Proxy-Authorization"
    end
    if #nat.signs(m) > 0 and m.contact.uri ~= "" then nat.alias(m) end
    if m.ruri.host:lower() ~= domain then
      if not own then return sip.reply(403, "Relaying Denied") end
      return sip.relay { record_route = true }
    end
    if m.ruri.user == "" then return sip.reply(m.method == "OPTIONS" and 200 or 404) end
    -- What leads to one phone (RFC 5627) need not say whose it is.
    if not m.ruri:param "gr" and not users:has(m.ruri.user) then return sip.reply(404) end
    m:remove_header "Route" -- it leads to the user, and nowhere else
    return sip.relay { targets = location.lookup(m.ruri.text), record_route = true, timeout = "60s" }
  end,
}

rule "callee" {
  doc = "A callee behind a NAT is reached later where it answers from.",
  on = sip.response_fwded, match = { method = { "INVITE", "SUBSCRIBE" } },
  run = function(tx, m)
    if m.code < 300 and m.contact.uri ~= "" and #nat.signs(m) > 0 then nat.alias(m) end
  end,
}

timer "keep-alive" {
  doc = "What is sent to phones behind NATs keeps their way open.",
  every = "30s",
  run = function()
    for _, contact in ipairs(location.contacts(2000)) do
      local hop = contact.next_hop
      if hop and not hop:find "transport=" then sip.send { method = "OPTIONS", uri = hop, timeout = "5s" } end
    end
  end,
}

rule "keep" {
  doc = "Contacts outlive the process, with --state.",
  on = sip.contact,
  run = function(contact)
    local key = this.aor .. " " .. this.uri
    if this.expires > 0 then kept:put(key, contact, this.expires) else kept:remove(key) end
  end,
}

rule "again" { on = hookd.start, run = function() for _, contact in kept:each() do location.restore(contact) end end }
