scripts "main.lua"
describe("large connections", function()
  it("are those above the limit", function()
    local c = connection { client = "10.0.0.1:40000", server = "10.0.0.2:80" }
    c:open()
    c:send("client", ("x"):rep(71))
    c:close()
    assert.equal(1, #alerts "large")
    assert.equal(71, alerts("large")[1].fields.bytes)
  end)

  it("are no others", function()
    local c = connection { client = "10.0.0.1:40000", server = "10.0.0.2:80" }
    c:open()
    c:send("client", ("x"):rep(70))
    c:close()
    assert.equal(0, #alerts())
  end)
end)
