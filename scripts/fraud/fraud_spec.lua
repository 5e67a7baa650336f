-- The proxy beside it has gateways that take every call.
scripts("../balancer/balancer.lua", "fraud.lua")

local names = { "192.0.2.10:5080", "192.0.2.11:5080", "192.0.2.12:5080" }

local function gateways()
  local list = {}
  for i, at in ipairs(names) do list[i] = phone { address = at, user = "gateway" .. i } end
  return list
end

-- Returns the next message of a kind at one of the gateways, which answer their probes.
local function offered(list, method)
  for _, g in ipairs(list) do
    local m = g:take()
    while m do
      if m.method == method and m.is_request then return m end
      if m.method == "OPTIONS" and m.is_request then m:reply(200) end
      m = g:take()
    end
  end
end

-- Lets gateways come back that nobody answered for meanwhile.
local function settle(list)
  for _ = 1, 40 do
    advance "1s"
    offered(list, "INVITE")
  end
end

local function call(p, number, user)
  return p:send("INVITE", "sip:" .. number .. "@example.com", { headers = { From = "<sip:" .. (user or "alice") .. "@example.com>;tag=c" } })
end

-- A call that a gateway has and does not take.
local function busy(list, p, number, user)
  call(p, number, user)
  offered(list, "INVITE"):reply(486, { reason = "Busy Here" })
  local no = p:expect(486)
  assert.equal("Busy Here", no.reason)
  no:ack()
end

local function refused(p, number, code)
  call(p, number)
  p:expect(code):ack()
end

describe("fraud", function()
  it("never calls some numbers", function()
    local list, alice = gateways(), phone "192.0.2.1"
    for i, number in ipairs { "0097912345", "+97912345" } do
      refused(alice, number, 403)
      local r = alerts("fraud")[i].fields
      assert.equal("alice " .. number .. " 192.0.2.1:5060 never", table.concat({ r.user, r.number, r.source, r.why }, " "))
    end
    assert.is_nil((offered(list, "INVITE")))
  end)

  it("knows a number however it is written", function()
    local alice = phone "192.0.2.1"
    for _, number in ipairs { "+979-12345", "00.979.12345", "+(979)12345", "%2B97912345" } do refused(alice, number, 403) end
    alice:send("INVITE", "tel:+979-12345")
    alice:expect(403):ack()
  end)

  it("lets a user have four calls at once", function()
    local list, alice = gateways(), phone "192.0.2.1"
    local bye
    for i = 1, 4 do
      call(alice, "3012" .. i)
      offered(list, "INVITE"):reply(200)
      bye = alice:expect(200)
      bye:ack()
    end
    call(alice, "30125")
    local no = alice:expect(486)
    assert.equal("Too Many Calls", no.reason)
    no:ack()
    assert.equal("calls at once", alerts("fraud")[1].fields.why)
    -- Others may, and so may the same user when a call is over.
    busy(list, alice, "30126", "bob")
    bye:send "BYE"
    offered(list, "BYE"):reply(200)
    alice:expect(200)
    busy(list, alice, "30127")
  end)

  it("sees where a call is aimed that is there already", function()
    local list, alice = gateways(), phone "192.0.2.1"
    local function talk(number)
      call(alice, number)
      offered(list, "INVITE"):reply(200)
      local answered = alice:expect(200)
      answered:ack()
      offered(list, "ACK")
      return answered
    end
    local route
    local function aim(answered, number)
      route = answered:header "Record-Route"
      return alice:send("INVITE", "sip:" .. number .. "@192.0.2.10:5080", { headers = {
        From = "<sip:alice@example.com>;tag=c", To = answered:header "To", ["Call-ID"] = answered.call_id, Route = route, CSeq = "5 INVITE",
      } })
    end
    local cheap = talk "30121"
    aim(cheap, "0097912345")
    alice:expect(403):ack()
    for i = 1, 2 do busy(list, alice, "0088112" .. i) end
    -- A dear call goes on without costing another try, one that becomes dear costs one.
    local far = talk "00881129"
    for i = 1, 2 do
      aim(far, "00881129")
      offered(list, "INVITE"):reply(488)
      alice:expect(488):ack()
    end
    aim(cheap, "00881130")
    alice:expect(403):ack()
  end)

  it("lets a user have three dear calls an hour", function()
    local list, alice = gateways(), phone "192.0.2.1"
    for i = 1, 3 do busy(list, alice, "0088112" .. i) end
    for _, number in ipairs { "+88112", "0900123", "+49900123" } do refused(alice, number, 403) end
    assert.equal("dear calls", alerts("fraud")[1].fields.why)
    busy(list, alice, "30121")
    busy(list, alice, "0088112", "bob")
    advance "61m"
    settle(list)
    busy(list, alice, "0088112")
  end)
end)

describe("fraud beside a log-in", function()
  scripts("../edge/edge.lua", "fraud.lua")

  local function ask(p, number)
    p:send("INVITE", "sip:" .. number .. "@192.0.2.77", { headers = { From = "<sip:alice@example.com>;tag=c" } })
    return p:take()
  end

  it("sees a number that stands in a Route", function()
    local trunk, alice = phone { address = "192.0.2.77", user = "trunk" }, phone { address = "192.0.2.1", user = "alice" }
    -- As a strict router sends it, and as one is sent to.
    local n = 0
    for uri, route in pairs {
      ["sip:192.0.2.100:5060;lr"] = "<sip:+88112@192.0.2.77>", ["sip:192.0.2.100;lr"] = '"sip:" <sip:192.0.2.78;lr>, "sip:a@b" <SIPS:%2b881-12@192.0.2.77;lr>',
      ["sip:30121@192.0.2.77"] = "<sip:+97912@192.0.2.77>", ["sip:30122@192.0.2.77"] = "sip:0088112@192.0.2.77",
    } do
      alice:send("INVITE", uri, { headers = { From = "<sip:alice@example.com>;tag=c", Route = route } })
      alice:expect(403):ack()
      n = n + 1
      assert.equal("hidden", alerts("fraud")[n].fields.why)
    end
    assert.same({}, trunk:waiting())
    -- What a proxy put there for itself is none.
    alice:send("INVITE", "sip:30123@192.0.2.77", { headers = { From = "<sip:alice@example.com>;tag=c", Route = "<sip:bm9ib2R5@192.0.2.77;lr>" } })
    local asked = alice:expect(407)
    asked:ack()
    asked:login("alice", "alice")
    trunk:expect("INVITE"):reply(486)
  end)

  it("counts calls, not tries to log in", function()
    local trunk, alice, eve = phone { address = "192.0.2.77", user = "trunk" }, phone { address = "192.0.2.1", user = "alice" }, phone "198.51.100.9"
    for i = 1, 5 do
      local challenge = ask(eve, "0088112")
      assert.equal(407, challenge.code)
      challenge:ack()
      challenge:login("alice", "wrong")
      eve:expect(407):ack()
    end
    for i = 1, 3 do
      local challenge = ask(alice, "0088112")
      assert.equal(407, challenge.code)
      challenge:ack()
      challenge:login("alice", "alice")
      trunk:expect("INVITE"):reply(486)
      trunk:expect "ACK"
      alice:expect(486):ack()
    end
    local no = ask(alice, "0088112")
    assert.equal(403, no.code)
    assert.equal(1, #alerts "fraud")
  end)
end)
