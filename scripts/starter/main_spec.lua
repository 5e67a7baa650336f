describe("an address with many connections", function()
  local function opened(n)
    for i = 1, n do connection { client = "192.0.2.1:" .. 40000 + i, server = "192.0.2.80:443" }:open() end
  end

  it("is told of once", function()
    opened(25)
    assert.equal(1, #alerts "busy")
    assert.equal("192.0.2.1", alerts("busy")[1].fields.client)
  end)

  it("is none where they come slowly", function()
    opened(19)
    advance "11s"
    opened(19)
    assert.equal(0, #alerts())
  end)
end)
