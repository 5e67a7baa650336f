-- The proxy beside it has users who log in.
scripts("../edge/edge.lua", "cdr.lua")

local function registered(at, user)
  local p = phone { address = at, user = user }
  p:send("REGISTER", "sip:example.com", { headers = { From = "<sip:" .. user .. "@example.com>;tag=r", To = "<sip:" .. user .. "@example.com>", Expires = 600 } })
  p:expect(401):login(user, user)
  p:expect(200)
  return p
end

-- A call from alice to bob as far as his phone.
local function call()
  local bob, alice = registered("192.0.2.2", "bob"), phone { address = "192.0.2.1", user = "alice" }
  alice:send("INVITE", "sip:bob@example.com", { headers = { From = "<sip:alice@example.com>;tag=c", ["User-Agent"] = "Desk 7" } })
  local challenge = alice:expect(407)
  challenge:ack()
  local invite = challenge:login("alice", "alice")
  return alice, bob, bob:expect "INVITE", invite
end

-- The record of the only call that ended.
local function record()
  local list = alerts "cdr"
  assert.equal(1, #list)
  return list[1].fields
end

describe("cdr", function()
  it("says who called whom, for how long, and who hung up", function()
    local alice, bob, leg = call()
    advance "2s"
    leg:reply(200)
    alice:expect(200):ack()
    bob:expect "ACK"
    assert.same({}, alerts "cdr")
    advance "30s"
    leg:send "BYE"
    alice:expect("BYE"):reply(200)
    bob:expect(200)
    local r = record()
    assert.equal("sip:alice@example.com sip:bob@example.com 192.0.2.1:5060 Desk 7", table.concat({ r.from, r.to, r.source, r.agent }, " "))
    assert.equal("2 30 200 callee", table.concat({ math.floor(r.setup), math.floor(r.duration), r.code, r.ended_by }, " "))
    assert.equal(30, math.floor(r.ended - r.answered))
  end)

  it("tells of calls that nobody took", function()
    local alice, bob, leg = call()
    leg:reply(486)
    alice:expect(486):ack()
    local r = record()
    assert.equal("486 failed 0", table.concat({ r.code, r.ended_by, r.duration }, " "))
  end)

  it("tells of a caller who gave up", function()
    local alice, bob, leg, invite = call()
    leg:reply(180)
    alice:expect(180)
    invite:cancel()
    alice:expect(200)
    bob:expect("CANCEL"):reply(200)
    leg:reply(487)
    alice:expect(487):ack()
    local r = record()
    assert.equal("487 canceled", r.code .. " " .. r.ended_by)
  end)

  it("ends a call of which nothing is heard for 12 hours", function()
    local alice, bob, leg = call()
    leg:reply(200)
    alice:expect(200):ack()
    bob:expect "ACK"
    advance "11h"
    assert.same({}, alerts "cdr")
    advance "2h"
    assert.equal("lapsed", record().ended_by)
  end)

  it("has no record of a log-in that failed, and one of a call that is refused", function()
    local eve = phone { address = "198.51.100.9", user = "eve" }
    eve:send("INVITE", "sip:bob@example.com", { headers = { From = "<sip:alice@example.com>;tag=e" } })
    local challenge = eve:expect(407)
    challenge:ack()
    challenge:login("alice", "wrong")
    eve:expect(407):ack()
    assert.same({}, alerts "cdr")
    eve:send("INVITE", "sip:anybody@192.0.2.77")
    eve:expect(403):ack()
    assert.equal(403, record().code)
  end)
end)

describe("cdr beside scanners", function()
  scripts("../edge/edge.lua", "../scanners/scanners.lua", "cdr.lua")

  it("has no record of what is dropped", function()
    local eve = phone "198.51.100.9"
    eve:send("INVITE", "sip:bob@example.com", { headers = { ["User-Agent"] = "friendly-scanner" } })
    advance "13h"
    assert.equal(1, #alerts "scanner")
    assert.same({}, alerts "cdr")
  end)
end)
