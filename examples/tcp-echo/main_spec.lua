describe("echo", function()
  it("sends back what it receives, as it comes", function()
    local c = dial "echo"
    c:send "hello"
    assert.equal("hello", c:recv())
    c:send "and "
    c:send "bye"
    assert.equal("and bye", c:recv())
  end)

  it("loses nothing to who ends his stream behind a lot", function()
    local c = dial "echo"
    local sent = ("0123456789abcdef"):rep(65536)
    c:send(sent)
    c:shutdown()
    assert.equal(#sent, #c:recv())
    assert.equal("ended", c:state())
  end)

  it("does not read on from who does not read", function()
    watch "loop.full"
    local c = dial "echo"
    c:hold()
    for _ = 1, 4 do c:send(("x"):rep(1048576)) end
    assert.is_true(c:unsent() > 2000000)
    assert.equal("send", events("loop.full")[1].side)
    c:resume()
    assert.equal(0, c:unsent())
    assert.equal(4194304, #c:recv())
  end)

  it("lets go of who is silent for ten minutes", function()
    watch "loop.close"
    local c = dial "echo"
    advance "9m59s"
    assert.equal("open", c:state())
    advance "1s"
    assert.equal("ended", c:state())
    assert.equal("timeout:idle", events("loop.close")[1].reason)
  end)
end)
