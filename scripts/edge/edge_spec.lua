local function registered(at, user, contact, more)
  local p = phone { address = at, user = user }
  local headers = more or {}
  for name, value in pairs { From = "<sip:" .. user .. "@example.com>;tag=r", To = "<sip:" .. user .. "@example.com>", Contact = contact, Expires = 600 } do headers[name] = value end
  p:send("REGISTER", "sip:example.com", { headers = headers })
  p:expect(401):login(user, user)
  return p, p:expect(200)
end

-- A call of a user, who logs in.
local function call(p, user, to, tag)
  local own = { From = "<sip:" .. user .. "@example.com>;tag=" .. (tag or "c") }
  p:send("INVITE", to, { headers = own })
  local challenge = p:expect(407)
  challenge:ack()
  return challenge:login(user, user)
end

-- A call that was answered: both phones, the answer as the caller has it, and the INVITE as the callee has.
local function talk()
  local bob = registered("192.0.2.2", "bob")
  local alice = phone { address = "192.0.2.1", user = "alice" }
  call(alice, "alice", "sip:bob@example.com")
  local leg = bob:expect "INVITE"
  leg:reply(200)
  local answered = alice:expect(200)
  answered:ack()
  bob:expect "ACK"
  return bob, alice, answered, leg
end

describe("edge", function()
  it("registers who knows a password, at the own address alone", function()
    local alice, ok = registered("192.0.2.1", "alice")
    assert.match("<sip:alice@192.0.2.1:5060>", ok:header "Contact")
    assert.match('^qop=auth, rspauth="%x+", cnonce=".+", nc=00000001$', ok:header "Authentication-Info")
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

  it("leads what is for one phone to that alone, and its dialogs too", function()
    local function instance(at, id)
      local p, ok = registered(at, "bob", "<sip:bob@" .. at .. ">;+sip.instance=\"<urn:uuid:" .. id .. ">\"", { Supported = "gruu" })
      for _, contact in ipairs(ok:headers "Contact") do
        if contact:find(id, 1, true) then return p, contact:match 'pub%-gruu="(.-)"', contact:match 'temp%-gruu="(.-)"' end
      end
    end
    local desk, public, hidden = instance("192.0.2.2", "00000000-0000-0000-0000-000000000001")
    local cell = instance("192.0.2.3", "00000000-0000-0000-0000-000000000002")
    assert.equal("sip:bob@example.com;gr=urn:uuid:00000000-0000-0000-0000-000000000001", public)
    local alice = phone { address = "192.0.2.1", user = "alice" }
    for i, uri in ipairs { public, hidden } do
      call(alice, "alice", uri, "c" .. i)
      local leg = desk:expect "INVITE"
      assert.equal("sip:bob@192.0.2.2", leg.uri)
      leg:reply(200, { headers = { Contact = "<" .. uri .. ">" } })
      local ok = alice:expect(200)
      ok:ack()
      assert.equal("sip:bob@192.0.2.2", desk:expect("ACK").uri)
      ok:send "BYE"
      local bye = desk:expect "BYE"
      assert.equal("sip:bob@192.0.2.2", bye.uri)
      bye:reply(200)
      alice:expect(200)
    end
    assert.same({}, cell:waiting())
    -- Nobody is there any more.
    advance "601s"
    call(alice, "alice", public, "c3")
    local gone = alice:take()
    while gone.code == 100 do gone = alice:take() end
    assert.equal(480, gone.code)
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

  it("has a dialog's requests pass without a login, from both ends", function()
    local bob, alice, answered, leg = talk()
    answered:send("INVITE", { body = "v=0\r\n" })
    bob:expect("INVITE"):reply(200)
    alice:expect(200)
    leg:send "INFO"
    alice:expect("INFO"):reply(200)
    bob:expect(200)
    answered:send "BYE"
    bob:expect("BYE"):reply(200)
    alice:expect(200)
  end)

  it("takes no word for a dialog that never was", function()
    local bob, alice, answered = talk()
    local route = answered:header "Record-Route"
    assert.match(";hkd=%x+>", route)
    local eve = phone { address = "198.51.100.9", user = "eve" }
    -- Of a request that says whose dialog it is of, what the edge answers; a user's name is answered with a question.
    local function try(method, from, to, headers)
      headers.From, headers.To = from, "<sip:bob@example.com>;tag=made-up"
      eve:send(method, to, { headers = headers })
      local m = eve:take()
      while m.code == 100 do m = eve:take() end
      if method == "INVITE" then m:ack() end
      return m.code
    end
    local stranger, user, far = "<sip:eve@example.org>;tag=e", "<sip:alice@example.com>;tag=e", "sip:premium@203.0.113.66"
    local bare = route:gsub(";hkd=%x+", "")
    for what, given in pairs {
      missing = bare, forged = route:gsub(";hkd=%x%x%x%x", ";hkd=0123"), replayed = route, empty = route:gsub("(;hkd=)%x+", "%1"),
      ["of no kind"] = route:gsub("(;hkd=)%x+", "%1zz"),
    } do
      for _, method in ipairs { "INVITE", "BYE", "UPDATE", "INFO" } do
        assert.equal(403, try(method, stranger, far, { Route = given }), what .. " " .. method)
        assert.equal(407, try(method, user, far, { Route = given }), what .. " " .. method .. " of a user")
      end
    end
    -- Of the true Call-ID, but of no end of the call.
    assert.equal(403, try("INVITE", stranger, far, { Route = route, ["Call-ID"] = answered.call_id }))
    assert.same({}, bob:waiting())
    assert.same({}, alice:waiting())
    -- What goes to a user goes there, whatever way it says.
    eve:send("INVITE", "sip:bob@example.com", { headers = { From = stranger, Route = bare .. ", <sip:203.0.113.66;lr>" } })
    assert.is_nil(bob:expect("INVITE"):header "Route")
  end)

  it("lets nobody aim a call elsewhere that is there already", function()
    local bob = registered("192.0.2.2", "bob")
    local eve = phone { address = "198.51.100.9", user = "eve" }
    eve:send("INVITE", "sip:bob@example.com", { headers = { From = "<sip:eve@example.org>;tag=e" } })
    local leg = bob:expect "INVITE"
    leg:reply(200)
    local answered = eve:expect(200)
    answered:ack()
    bob:expect "ACK"
    local route, far, there = answered:header "Record-Route", "sip:premium@203.0.113.66", "sip:bob@192.0.2.2:5060"
    local own, users = "<sip:eve@example.org>;tag=e", "<sip:bob@example.com>;tag=" .. answered.to_tag
    for from, to in pairs { [own] = users, [users] = own, ["<sip:alice@example.com>;tag=e"] = users } do
      eve:send("INVITE", far, { headers = { From = from, To = to, Route = route, ["Call-ID"] = answered.call_id, CSeq = "9 INVITE" } })
      local no = eve:take()
      while no.code == 100 do no = eve:take() end
      assert.is_true(no.code == 403 or no.code == 407, from .. " gets " .. no.code)
      no:ack()
    end
    -- The phone's own URI, and a way that leads past it, to a loose or a strict router: it is the URI that counts.
    for i, way in ipairs { ", <sip:premium@203.0.113.66>", ", <sip:premium@203.0.113.66;lr>", ", <sip:203.0.113.66;lr>, <" .. far .. ">" } do
      eve:send("INVITE", there, { headers = { From = own, To = users, Route = route .. way, ["Call-ID"] = answered.call_id, CSeq = 20 + i .. " INVITE" } })
      local again = bob:expect "INVITE"
      assert.equal(there, again.uri)
      assert.is_nil(again:header "Route")
      again:reply(488)
      bob:expect "ACK"
      eve:expect(488):ack()
    end
    eve:send("INVITE", there .. ";maddr=203.0.113.66", { headers = { From = own, To = users, Route = route, ["Call-ID"] = answered.call_id, CSeq = "30 INVITE" } })
    eve:expect(403):ack()
    -- Both go on with the call: the stranger to the phone, and the user, who is known by a password.
    answered:send "INVITE"
    bob:expect("INVITE"):reply(200)
    eve:expect(200)
    leg:send "INVITE"
    local asked = bob:expect(407)
    asked:ack()
    asked:login("bob", "bob")
    eve:expect("INVITE"):reply(200)
    bob:expect(200)
    answered:send "BYE"
    bob:expect("BYE"):reply(200)
    eve:expect(200)
  end)

  it("asks who it is that leads a call on to a phone behind a proxy", function()
    local path = "<sip:192.0.2.50;lr>"
    local proxy = registered("192.0.2.50", "bob", "<sip:bob@192.0.2.50:5060>", { Path = path, Supported = "path" })
    local alice = phone { address = "192.0.2.1", user = "alice" }
    call(alice, "alice", "sip:bob@example.com")
    local leg = proxy:expect "INVITE"
    assert.equal(path, leg:header "Route")
    leg:reply(200, { headers = { ["Record-Route"] = path .. ", " .. leg:header "Record-Route" } })
    local answered = alice:expect(200)
    answered:ack()
    assert.equal(path, proxy:expect("ACK"):header "Route")
    answered:send "INVITE"
    local asked = alice:expect(407)
    asked:ack()
    asked:login("alice", "alice")
    local again = proxy:expect "INVITE"
    assert.equal(path, again:header "Route")
    again:reply(200)
    alice:expect(200):ack()
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
