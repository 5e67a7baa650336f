local function registered(at, user, contact)
  local p = phone { address = at, user = user }
  local headers = { From = "<sip:" .. user .. "@example.com>;tag=r", To = "<sip:" .. user .. "@example.com>", Contact = contact, Expires = 600 }
  p:send("REGISTER", "sip:example.com", { headers = headers })
  p:expect(401):login(user, user)
  return p, p:expect(200)
end

-- A call of a user, who logs in.
local function call(p, user, to)
  local own = { From = "<sip:" .. user .. "@example.com>;tag=c" }
  p:send("INVITE", to, { headers = own })
  local challenge = p:expect(407)
  challenge:ack()
  return challenge:login(user, user)
end

describe("edge", function()
  it("registers who knows a password, at the own address alone", function()
    local alice, ok = registered("192.0.2.1", "alice")
    assert.match("<sip:alice@192.0.2.1:5060>", ok:header "Contact")
    alice:send("REGISTER", "sip:example.com", { headers = { To = "<sip:bob@example.com>", From = "<sip:alice@example.com>;tag=x" } })
    alice:expect(401):login("alice", "alice")
    alice:expect(403)
    alice:send("REGISTER", "sip:example.com", { headers = { To = "<sip:alice@example.com>", From = "<sip:alice@example.com>;tag=x" } })
    alice:expect(401):login("alice", "wrong")
    alice:expect(401)
    assert.equal("wrong credentials", logs()[1].message)
    alice:send("REGISTER", "sip:example.org", { headers = { To = "<sip:alice@example.org>" } })
    alice:expect(404)
  end)

  it("leads a call to where the callee registered", function()
    local bob = registered("192.0.2.2", "bob")
    local alice = phone { address = "192.0.2.1", user = "alice" }
    call(alice, "alice", "sip:bob@example.com")
    local leg = bob:expect "INVITE"
    assert.equal("sip:bob@192.0.2.2:5060", leg.uri)
    assert.is_nil(leg:header "Proxy-Authorization")
    leg:reply(180)
    alice:expect(180)
    leg:reply(200)
    alice:expect(200):ack()
    bob:expect "ACK"
    leg:send "BYE"
    alice:expect("BYE"):reply(200)
    bob:expect(200)
  end)

  it("rings all contacts, and the first gets the call", function()
    local desk = registered("192.0.2.2", "bob")
    local cell = registered("192.0.2.3", "bob")
    local alice = phone { address = "192.0.2.1", user = "alice" }
    call(alice, "alice", "sip:bob@example.com")
    local one, two = desk:expect "INVITE", cell:expect "INVITE"
    one:reply(180)
    two:reply(200)
    desk:expect("CANCEL"):reply(200)
    one:reply(487)
    alice:expect(180)
    alice:expect(200)
  end)

  it("forgets contacts when their time is over", function()
    local bob = registered("192.0.2.2", "bob")
    advance "601s"
    local alice = phone { address = "192.0.2.1", user = "alice" }
    call(alice, "alice", "sip:bob@example.com")
    assert.same({}, bob:waiting())
    local gone = alice:take()
    while gone.code == 100 do gone = alice:take() end
    assert.is_true(gone.code >= 400)
  end)

  it("is no open relay", function()
    local stranger = phone { address = "198.51.100.9", user = "eve" }
    stranger:send("INVITE", "sip:anybody@192.0.2.77")
    assert.equal("Relaying Denied", stranger:expect(403).reason)
    stranger:send("INVITE", "sip:nobody@example.com")
    stranger:expect(404)
    -- It answers for itself.
    stranger:send("OPTIONS", "sip:example.com")
    stranger:expect(200)
    -- A user's name is not enough.
    stranger:send("INVITE", "sip:bob@example.com", { headers = { From = "<sip:alice@example.com>;tag=e" } })
    local challenge = stranger:expect(407)
    challenge:ack()
    challenge:login("bob", "bob")
    stranger:expect(403)
  end)

  it("reaches a phone behind a NAT where it registered from", function()
    local bob = registered("203.0.113.5:40000", "bob", "<sip:bob@10.0.0.5:5060>")
    local alice = phone { address = "192.0.2.1", user = "alice" }
    call(alice, "alice", "sip:bob@example.com")
    local leg = bob:expect "INVITE"
    leg:reply(200, { headers = { Contact = "<sip:bob@10.0.0.5:5060>" } })
    local ok = alice:expect(200)
    ok:ack()
    bob:expect "ACK"
  end)
end)
