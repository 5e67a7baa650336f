-- That it answers is shown by a client: a spec has no sockets.
describe("hello", function()
  it("has a rule that nobody asked yet", function()
    local hello = rule "hello"
    assert.equal(0, hello.matched)
    assert.is_false(hello.suspended)
  end)
end)
