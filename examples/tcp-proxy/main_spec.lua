describe("the proxy", function()
  it("passes bytes on both ways, and ends as the ends do", function()
    local server = answer("tcp://127.0.0.1:17000", function(bytes) return bytes:upper() end)
    local c = dial("front", { from = "203.0.113.10" })
    c:send "hello"
    assert.equal("HELLO", c:recv())
    local behind = server:accept()
    c:shutdown()
    assert.equal("ended", behind:state())
    behind:close()
    assert.equal("ended", c:state())
    local served = logs()[1]
    assert.equal("served", served.message)
    assert.equal("203.0.113.10", served.fields.from)
    assert.equal(5, served.fields.bytes_in)
  end)

  it("resets who is on the list, before anything is passed on", function()
    local server = answer "tcp://127.0.0.1:17000"
    local c = dial("front", { from = "192.0.2.7" })
    assert.equal("reset", c:state())
    assert.is_nil(server:accept())
    assert.equal("loop.reset", decisions("blocked")[1].verdict)
  end)

  it("serves four of one address at once", function()
    answer "tcp://127.0.0.1:17000"
    local open = {}
    for i = 1, 4 do open[i] = dial("front", { from = "203.0.113.10" }) end
    assert.equal("ended", dial("front", { from = "203.0.113.10" }):state())
    assert.equal("open", dial("front", { from = "203.0.113.11" }):state())
    open[1]:reset()
    assert.equal("open", dial("front", { from = "203.0.113.10" }):state())
  end)

  it("alerts when it cannot reach the server", function()
    assert.equal("reset", dial("front"):state())
    assert.match("refused", alerts("upstream")[1].fields.why)
  end)
end)
