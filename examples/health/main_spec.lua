-- A spec has no network, so that all targets are down in it.
describe("health", function()
  it("tells nothing as long as nothing changes", function()
    advance "10s"
    assert.equal(0, #alerts())
    assert.equal(0, rule("report").matched)
  end)
end)
