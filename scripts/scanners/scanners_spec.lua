-- The proxy beside it has users who log in.
scripts("../edge/edge.lua", "scanners.lua")

local own = { From = "<sip:alice@example.com>;tag=r", To = "<sip:alice@example.com>", Expires = 600 }

local function login(p, password)
  p:send("REGISTER", "sip:example.com", { headers = own })
  p:expect(401):login("alice", password)
  return p:take().code
end

-- What an address that only asks gets: OPTIONS of the proxy itself.
local function ask(p, agent)
  p:send("OPTIONS", "sip:example.com", { headers = { ["User-Agent"] = agent } })
  local m = p:take()
  return m and m.code
end

describe("scanners", function()
  it("says nothing to tools that say who they are", function()
    watch "flow.block_start"
    for i, agent in ipairs { "friendly-scanner", "Mozilla SIPVicious 0.3", "VAXSIPUSERAGENT/3.1" } do
      assert.is_nil(ask(phone("198.51.100." .. i), agent))
      local r = alerts("scanner")[i].fields
      assert.equal("198.51.100." .. i .. " agent " .. agent, table.concat({ tostring(r.ip), r.why, r.agent }, " "))
    end
    assert.equal(200, ask(phone "192.0.2.1", "Desk 7"))
    assert.equal(200, ask(phone "192.0.2.3", false))
    assert.equal(3, #alerts "scanner")
    local block = events("flow.block_start")[1]
    assert.equal("198.51.100.1 3600", block.prefix .. " " .. block.ttl)
  end)

  it("says nothing more for an hour, whatever the address calls itself then", function()
    local eve = phone "198.51.100.9"
    assert.is_nil(ask(eve, "friendly-scanner"))
    assert.is_nil(ask(eve, "Desk 7"))
    assert.equal(1, #alerts "scanner")
    advance "61m"
    assert.equal(200, ask(eve, "Desk 7"))
  end)

  it("tells of an address that guesses passwords twenty times in a minute", function()
    local eve = phone "198.51.100.9"
    for _ = 1, 19 do assert.equal(401, login(eve, "wrong")) end
    assert.same({}, alerts "scanner")
    assert.equal(401, login(eve, "wrong"))
    local r = alerts("scanner")[1].fields
    assert.equal("198.51.100.9 refused 20 times in a minute", tostring(r.ip) .. " " .. r.why)
  end)

  it("tells of an address that guesses users", function()
    local eve = phone "198.51.100.9"
    for i = 1, 20 do
      eve:send("INVITE", "sip:" .. 100 + i .. "@example.com")
      eve:expect(404):ack()
    end
    assert.equal(1, #alerts "scanner")
  end)

  it("takes phones that log in for no guessers, however many have one address", function()
    for i = 1, 5 do
      local p = phone("203.0.113.5:" .. 40000 + i)
      for _ = 1, 8 do assert.equal(200, login(p, "alice")) end
    end
    assert.same({}, alerts "scanner")
  end)

  it("forgives who is refused now and then", function()
    local alice = phone "192.0.2.1"
    for _ = 1, 30 do
      assert.equal(401, login(alice, "wrong"))
      advance "5s"
    end
    assert.same({}, alerts "scanner")
  end)

  it("hears 300 requests of an address in ten seconds, and no more", function()
    local eve, alice = phone "198.51.100.8", phone "192.0.2.1"
    local heard = 0
    for _ = 1, 400 do
      if ask(eve) then heard = heard + 1 end
    end
    assert.is_true(heard >= 299 and heard <= 300, "heard " .. heard)
    assert.equal(200, ask(alice))
    advance "11s"
    assert.equal(200, ask(eve))
  end)
end)
