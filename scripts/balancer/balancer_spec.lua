local names = { "192.0.2.10:5080", "192.0.2.11:5080", "192.0.2.12:5080" }

-- The gateways of the set, each a phone.
local function gateways()
  local list = {}
  for i, at in ipairs(names) do list[i] = phone { address = at, user = "gateway" .. i } end
  return list
end

-- Lets time pass, in which those gateways that are there answer their probes.
local function pass(list, seconds)
  for _ = 1, seconds do
    advance "1s"
    for _, g in ipairs(list) do
      local m = g:take()
      while m do
        if m.method == "OPTIONS" and m.is_request then m:reply(200) end
        m = g:take()
      end
    end
  end
end

-- Returns the INVITE that waits at one of the gateways, and its number.
local function offered(list)
  for i, g in ipairs(list) do
    local m = g:take()
    while m do
      if m.method == "INVITE" and m.is_request then return m, i, g end
      if m.method == "OPTIONS" and m.is_request then m:reply(200) end
      m = g:take()
    end
  end
end

local function call(p, id)
  return p:send("INVITE", "sip:bob@example.com", { headers = { ["Call-ID"] = id } })
end

describe("balancer", function()
  it("spreads calls by weight over those of the first priority", function()
    local list, caller = gateways(), phone "198.51.100.1"
    local got = { 0, 0, 0 }
    for i = 1, 90 do
      call(caller, "call" .. i)
      local m, n = offered(list)
      got[n] = got[n] + 1
      m:reply(486)
      caller:expect(486):ack()
    end
    assert.equal(0, got[3])
    assert.is_true(got[1] > got[2] and got[2] > 10, "got " .. got[1] .. " and " .. got[2])
  end)

  it("goes to the next gateway before the caller hears of it", function()
    local list, caller = gateways(), phone "198.51.100.1"
    for i, code in ipairs { 500, 503 } do
      call(caller, "fails" .. i)
      local m, first = offered(list)
      m:reply(code)
      local again, second = offered(list)
      assert.is_true(first ~= second)
      again:reply(200)
      caller:expect(200):ack()
    end
    -- What is an answer goes to the caller.
    call(caller, "busy")
    offered(list):reply(486)
    caller:expect(486):ack()
    assert.is_nil((offered(list)))
  end)

  it("does not wait long for a gateway that says nothing", function()
    local list, caller = gateways(), phone "198.51.100.1"
    call(caller, "silence")
    local _, first = offered(list)
    advance "4s"
    local m, second = offered(list)
    assert.is_true(first ~= second)
    m:reply(200)
    caller:expect(200)
  end)

  it("takes a gateway out that does not answer probes, and in again", function()
    local list, caller = gateways(), phone "198.51.100.1"
    list[1]:down()
    pass(list, 60)
    local told = alerts "gateway"
    assert.equal("sip:192.0.2.10:5080", told[1].fields.uri)
    assert.is_false(told[1].fields.up)
    for i = 1, 5 do
      call(caller, "without" .. i)
      local m, n = offered(list)
      assert.equal(2, n)
      m:reply(486)
      caller:expect(486):ack()
    end
    list[1]:up()
    pass(list, 40)
    told = alerts "gateway"
    assert.is_true(told[#told].fields.up)
  end)

  it("uses the spare when the others are down, and says 503 when all are", function()
    local list, caller = gateways(), phone "198.51.100.1"
    list[1]:down()
    list[2]:down()
    pass(list, 60)
    call(caller, "spare")
    local m, n = offered(list)
    assert.equal(3, n)
    m:reply(486)
    caller:expect(486):ack()
    list[3]:down()
    pass(list, 60)
    call(caller, "none")
    local no = caller:expect(503)
    assert.equal("10", no:header "Retry-After")
    no:ack()
  end)
end)
