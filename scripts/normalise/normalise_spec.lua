-- The proxy beside it has users who log in, and calls anywhere.
scripts("../edge/edge.lua", "normalise.lua")

local from = "<sip:alice@example.com>;tag=c"

-- A call of alice, who logs in, to a trunk; returns what the trunk got.
local function call(trunk, alice, number, more)
  local headers = { From = from }
  for name, value in pairs(more or {}) do headers[name] = value end
  alice:send("INVITE", "sip:" .. number .. "@192.0.2.77", { headers = headers })
  local challenge = alice:expect(407)
  challenge:ack()
  challenge:login("alice", "alice")
  return trunk:expect "INVITE"
end

local function both()
  return phone { address = "192.0.2.77", user = "trunk" }, phone { address = "192.0.2.1", user = "alice" }
end

local function ends(trunk, alice, leg)
  leg:reply(486)
  trunk:expect "ACK"
  alice:expect(486):ack()
end

describe("normalise", function()
  it("makes called numbers E.164", function()
    local trunk, alice = both()
    for number, want in pairs { ["004930123"] = "+4930123", ["030123"] = "+4930123", ["+4930123"] = "+4930123", ["00331234"] = "+331234" } do
      local leg = call(trunk, alice, number)
      assert.equal("sip:" .. want .. "@192.0.2.77", leg.uri)
      ends(trunk, alice, leg)
    end
  end)

  it("leaves alone what is no such number", function()
    local trunk, alice = both()
    for _, user in ipairs { "112", "bob", "0x30", "00", "0" } do
      local leg = call(trunk, alice, user)
      assert.equal("sip:" .. user .. "@192.0.2.77", leg.uri)
      ends(trunk, alice, leg)
    end
  end)

  it("bounds Max-Forwards, and raises none", function()
    local trunk, alice = both()
    for given, want in pairs { [255] = "69", [71] = "69", [70] = "69", [12] = "11" } do
      local leg = call(trunk, alice, "112", { ["Max-Forwards"] = given })
      assert.equal(want, leg:header "Max-Forwards")
      ends(trunk, alice, leg)
    end
  end)

  it("hides the inside in both directions", function()
    local trunk, alice = both()
    local inside = { ["X-Internal-Route"] = "a", ["P-Asserted-Identity"] = { "<sip:a@pbx>", "<tel:+4930>" }, ["History-Info"] = "<sip:b@pbx>" }
    inside["User-Agent"] = "PBX 1.2"
    local leg = call(trunk, alice, "112", inside)
    inside["User-Agent"], inside.Server = "Trunk 3", "Trunk 3"
    leg:reply(200, { headers = inside })
    local ok = alice:expect(200)
    for _, m in ipairs { leg, ok } do
      for _, name in ipairs { "X-Internal-Route", "P-Asserted-Identity", "History-Info" } do assert.is_nil(m:header(name)) end
      assert.equal("hookd", m:header "User-Agent")
    end
    assert.equal("hookd", ok:header "Server")
    -- So it is with later requests of either end, and with the ACK, which may come twice.
    for _ = 1, 2 do
      ok:send("ACK", { headers = { CSeq = ok:header "CSeq":match "%d+" .. " ACK", ["User-Agent"] = "PBX 1.2", ["X-Internal-Route"] = "a" } })
      local ack = trunk:expect "ACK"
      assert.equal("hookd", ack:header "User-Agent")
      assert.is_nil(ack:header "X-Internal-Route")
    end
    leg:send("BYE", { headers = { ["User-Agent"] = "Trunk 3", ["X-Internal-Route"] = "a" } })
    local bye = alice:expect "BYE"
    assert.equal("hookd", bye:header "User-Agent")
    assert.is_nil(bye:header "X-Internal-Route")
  end)

  it("adds no name where there was none", function()
    local trunk, alice = both()
    local leg = call(trunk, alice, "112", { ["User-Agent"] = false })
    assert.is_nil(leg:header "User-Agent")
    leg:reply(486)
    assert.is_nil(alice:expect(486):header "Server")
  end)
end)
