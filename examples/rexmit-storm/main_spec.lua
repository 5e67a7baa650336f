describe("a storm of retransmissions", function()
  it("is one client's", function()
    replay "capture.pcap"
    assert.equal(1, #alerts "storm")
    assert.equal("10.0.0.2:43000", alerts("storm")[1].fields.client)
    assert.equal(42, alerts("lossy")[1].fields.again)
  end)

  it("needs twenty in ten seconds", function()
    local c = connection { client = "10.0.0.1:40000", server = "10.0.0.2:80" }
    c:open()
    c:send("client", "hello")
    for _ = 1, 19 do c:resend "client" end
    advance "11s"
    for _ = 1, 19 do c:resend "client" end
    c:close()
    assert.equal(0, #alerts())
    assert.equal(38, rule("count").matched)
  end)
end)
