-- That it works is shown by a client: a spec has no sockets.
describe("notes", function()
  it("has rules that nobody asked yet", function()
    for _, name in ipairs { "list", "add", "one" } do
      assert.equal(0, rule(name).matched)
    end
  end)
end)
