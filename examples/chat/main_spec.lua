local function join(name)
  local c = dial "chat"
  assert.is_true(c:websocket("/ws?name=" .. name))
  return c
end

describe("chat", function()
  it("serves the page", function()
    local r = dial("chat"):get "/"
    assert.equal("text/html; charset=utf-8", r.headers["content-type"])
    assert.match("new WebSocket", r.body)
  end)

  it("tells everybody what one says", function()
    local ann = join "ann"
    assert.equal("* ann is here", ann:hear())
    local bob = join "bob"
    assert.equal("* bob is here", ann:hear())
    assert.equal("* bob is here", bob:hear())
    ann:say "hello, bob"
    assert.equal("ann: hello, bob", ann:hear())
    assert.equal("ann: hello, bob", bob:hear())
    bob:leave()
    assert.equal("* bob left", ann:hear())
    assert.is_nil(ann:hear())
  end)

  it("tells of one who is lost", function()
    local ann, bob = join "ann", join "bob"
    ann:hear() ann:hear()
    bob:reset()
    assert.equal("* bob left", ann:hear())
  end)

  it("makes a guest of a strange name", function()
    local c = join "%3Cb%3E"
    assert.match("^%* guest %d+ is here$", c:hear())
  end)

  it("closes on who says more than 4 KiB at once", function()
    local ann = join "ann"
    ann:hear()
    ann:say(("x"):rep(5000))
    local _, kind, code = ann:hear()
    assert.equal("close", kind)
    assert.equal(1009, code)
  end)
end)
