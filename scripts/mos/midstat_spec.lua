local function values(name, field)
  local list = {}
  for i, a in ipairs(alerts(name)) do list[i] = a.fields[field] end
  return list
end

describe("mOS's names", function()
  it("follow a connection from its start to its end", function()
    local c = connection { client = "10.0.0.1:40000", server = "10.0.0.2:80" }
    c:open()
    advance "1s"
    assert.same({ 1 }, values("open", "n"))
    assert.same({ 7 }, values("open", "id"))
    c:rst "server"
    assert.equal("10.0.0.1:40000 10.0.0.2:80", alerts("ended")[1].fields.ends)
    advance "1s"
    assert.same({ 1, 0 }, values("open", "n"))
  end)

  it("give states by the originals' numbers", function()
    connection({ client = "10.0.0.1:40000", server = "10.0.0.2:80" }):open()
    assert.same({ 2, 4, 4 }, values("state", "client"))
    assert.same({ 3, 3, 4 }, values("state", "server"))
    assert.same({ 1, 0, 1 }, values("state", "side"))
  end)

  it("read what a side has received, from a place of their own", function()
    local c = connection { client = "10.0.0.1:40000", server = "10.0.0.2:80" }
    c:open()
    c:send("client", "hello")
    c:send("client", "world")
    assert.same({ "hello", "world" }, values("data", "bytes"))
    assert.same({ "hello", "helloworld" }, values("data", "again"))
    assert.same({ 1, 1 }, values("data", "side"))
  end)

  it("take a callback off", function()
    local c = connection { client = "10.0.0.1:40000", server = "10.0.0.2:80" }
    c:open()
    for _, word in ipairs { "a", "quit", "b" } do c:send("client", word) end
    assert.same({ "a", "quit" }, values("data", "bytes"))
  end)

  it("drop a packet by an event of one's own", function()
    local c = connection { client = "10.0.0.1:40000", server = "10.0.0.2:23" }
    assert.equal("flow.drop", c:syn())
    assert.is_nil(c:synack())
  end)

  it("overwrite a packet, as far as its length stays", function()
    local c = connection { client = "10.0.0.1:40000", server = "10.0.0.2:8080" }
    assert.equal("flow.replace", c:syn())
    c:synack()
    c:ack "client"
    assert.equal("flow.replace", c:send("client", "my secret is 42"))
    for _, word in ipairs { "longer", "window", "insert" } do c:send("client", word) end
    assert.same({
      "mtcp_setlastpkt: the payload has 6 bytes, and keeps its length",
      "mtcp_setlastpkt: of the TCP header, the ports can be overwritten",
      "mtcp_setlastpkt: MOS_DROP or MOS_OVERWRITE; the length of a stream cannot be changed",
    }, values("not overwritten", "why"))
  end)

  it("stop monitoring a connection", function()
    local c = connection { client = "10.0.0.1:40000", server = "10.0.0.2:873" }
    c:open()
    c:send("client", "hello")
    assert.equal(0, #alerts "data")
    assert.equal(0, #alerts "state")
  end)

  it("look only at what the filter selects", function()
    connection({ client = "10.0.0.1:40000", server = "10.0.0.2:9" }):open()
    assert.equal(0, #alerts "state")
  end)
end)
