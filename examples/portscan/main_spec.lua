local function refused(n, client, port)
  for i = 1, n do
    local c = connection { client = client .. ":" .. 40000 + i, server = "10.0.0.80:" .. (port or i) }
    c:syn()
    c:rst "server"
  end
end

describe("a port scan", function()
  it("is found and blocked, once", function()
    replay "capture.pcap"
    local found = alerts "port-scan"
    assert.equal(1, #found)
    assert.equal("203.0.113.9", found[1].fields.from)
    assert.is_true(found[1].fields.blocked)
    assert.equal(41, alerts("released")[1].fields.stopped)
  end)

  it("needs ten in five seconds", function()
    refused(9, "192.0.2.1")
    advance "6s"
    refused(9, "192.0.2.1")
    assert.equal(0, #alerts())
    refused(1, "192.0.2.1")
    assert.equal(1, #alerts "port-scan")
  end)

  it("is not what a server's reset behind an answer is", function()
    for i = 1, 20 do
      local c = connection { client = "192.0.2.2:" .. 40000 + i, server = "10.0.0.80:22" }
      c:open()
      c:send("server", "SSH-2.0-x\r\n")
      c:rst "server"
    end
    assert.equal(0, #alerts())
  end)

  it("from the host itself is told, not blocked", function()
    refused(10, "127.0.0.1")
    local a = alerts("port-scan")[1].fields
    assert.is_false(a.blocked)
    assert.match("never blocked", a.why)
  end)
end)
