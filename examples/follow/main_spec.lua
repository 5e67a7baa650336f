local function ssh(port) return connection { client = "10.0.0.1:" .. port, server = "10.0.0.2:22" } end

describe("connections that are followed", function()
  it("reports the first line of the client only, once", function()
    local c = connection { client = "10.0.0.1:40000", server = "10.0.0.2:80" }
    c:open()
    c:send("server", "220 early\r\n")
    c:send("client", "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    c:send("client", "GET /more HTTP/1.1\r\n\r\n")
    assert.equal(1, #alerts "first-line")
    assert.equal("GET / HTTP/1.1", alerts("first-line")[1].fields.line)
    assert.equal("first-line", alerts("first-line")[1].rule)
  end)

  it("tells of the silent ones, not of those that spoke or ended", function()
    ssh(40000):open()
    local spoke = ssh(40001)
    spoke:open()
    spoke:send("client", "SSH-2.0-x\r\n")
    local ended = ssh(40002)
    ended:open()
    ended:close()
    advance "1m"
    assert.equal(1, #alerts "silent")
    assert.equal("10.0.0.1:40000", alerts("silent")[1].fields.client)
  end)

  it("looks at sessions while they last", function()
    local c = ssh(40000)
    c:open()
    c:send("client", "SSH-2.0-x\r\n")
    advance "350ms"
    c:close()
    advance "1s"
    local seen = alerts "session"
    assert.equal(3, #seen)
    assert.equal(11, seen[3].fields.longest)
  end)

  it("leaves the others alone", function()
    local c = connection { client = "10.0.0.1:40000", server = "10.0.0.2:25" }
    c:open()
    c:send("client", "HELO x\r\n")
    c:close()
    assert.same({}, alerts())
  end)
end)
