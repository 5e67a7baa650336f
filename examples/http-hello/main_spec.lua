describe("hello", function()
  it("greets who asks for /", function()
    local c = dial "hello"
    local r = c:get "/"
    assert.equal(200, r.status)
    assert.equal("hello\n", r.body)
    assert.equal("loop.reply", decisions("hello")[1].verdict)
  end)

  it("has nothing else, and keeps the connection", function()
    local c = dial "hello"
    assert.equal(404, c:get("/other").status)
    assert.equal(200, c:get("/").status)
    assert.equal("open", c:state())
  end)

  it("answers what is no HTTP with 400, and closes", function()
    local c = dial "hello"
    c:send "hello?\r\n\r\n"
    assert.match("^HTTP/1.1 400 ", c:recv())
    assert.equal("ended", c:state())
  end)
end)
