local function register(p, user, password)
  local own = "<sip:" .. user .. "@example.com>"
  p:send("REGISTER", "sip:example.com", { headers = { From = own .. ";tag=r", To = own } })
  p:expect(401):login(user, password)
end

local function call(p, user, uri)
  p:send("INVITE", uri, { headers = { From = "<sip:" .. user .. "@example.com>;tag=c" } })
  p:expect(407):login(user, user)
end

describe("the edge proxy", function()
  it("binds contacts of who knows the password, and of nobody else", function()
    local bob = phone { address = "192.0.2.12", user = "bob" }
    register(bob, "bob", "bob")
    assert.match("sip:bob@192.0.2.12", bob:expect(200):header "Contact")
    register(bob, "bob", "guess")
    assert.match("Digest realm", bob:expect(401):header "WWW-Authenticate")
    register(bob, "eve", "eve")
    bob:expect(401)
  end)

  it("lets its users call each other, until contacts end", function()
    local alice, bob = phone { address = "192.0.2.11", user = "alice" }, phone { address = "192.0.2.12", user = "bob" }
    register(bob, "bob", "bob")
    bob:expect(200)
    call(alice, "alice", "sip:bob@example.com")
    local leg = bob:expect "INVITE"
    assert.is_nil(leg:header "Proxy-Authorization")
    leg:reply(200)
    local ok = alice:expect(200)
    ok:ack()
    bob:expect "ACK"
    ok:send "BYE"
    bob:expect("BYE"):reply(200)
    alice:expect(200)
    advance "2h"
    bob:take()
    call(alice, "alice", "sip:bob@example.com")
    alice:expect(480)
  end)

  it("is no open relay", function()
    local eve = phone { address = "198.51.100.9", user = "eve" }
    eve:send("INVITE", "sip:victim@192.0.2.99")
    eve:expect(403)
    eve:send("INVITE", "sip:nobody@example.com")
    eve:expect(404)
  end)
end)
