describe("the NAT", function()
  local function open(client)
    local c = connection { client = client, server = "192.0.2.1:80" }
    c:open()
    return c
  end

  it("gives each connection a port of its own, and says what to replace at each packet", function()
    open "10.0.0.1:40000"
    open "10.0.0.2:40000"
    local seen = alerts "translated"
    assert.equal(2, #seen)
    assert.equal(1025, seen[1].fields.port)
    assert.equal(1026, seen[2].fields.port)
    for _, d in ipairs(decisions "translate") do
      -- As if nothing had been replaced, the server answers to the inner address: such packets do not pass.
      assert.is_true(d.verdict == "flow.replace" or d.verdict == "flow.drop")
    end
  end)

  it("leaves others alone", function()
    open "172.16.0.1:40000"
    assert.equal(0, #alerts())
    assert.equal(0, #decisions())
  end)

  it("lets nobody in", function()
    local c = connection { client = "192.0.2.1:5000", server = "203.0.113.1:1025" }
    c:open()
    assert.equal("unasked", decisions()[1].rule)
    assert.equal("flow.cut", decisions()[1].verdict)
  end)
end)
