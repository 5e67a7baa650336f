describe("retransmissions to 216.58/16 port 80", function()
  it("alerts for one of the capture's three connections that retransmit", function()
    watch "flow.rexmit.rcv"
    replay "capture.pcap"

    local conns = {}
    for _, e in ipairs(events "flow.rexmit.rcv") do conns[e.server] = true end
    assert.same({ ["216.58.0.10:80"] = true, ["216.58.0.10:8080"] = true, ["192.0.2.10:80"] = true }, conns)

    local seen = alerts "retransmission"
    assert.is_true(#seen > 0, "no alert")
    for i, a in ipairs(seen) do
      assert.equal(seen[1].conn, a.conn)
      assert.equal("server", a.fields.at)
      assert.equal(i, a.fields.count)
    end
  end)

  it("does not look at other ports", function()
    local c = connection { client = "10.0.0.1:40000", server = "216.58.1.1:81" }
    c:open()
    c:send("client", "hello")
    c:resend "client"
    assert.equal(0, #alerts())
  end)

  it("sees the repeated segment and its side", function()
    local c = connection { client = "10.0.0.1:40000", server = "216.58.1.1:80" }
    c:open()
    c:send("client", "hello")
    c:resend "client"
    local a = alerts()[1]
    assert.equal("retransmission", a.name)
    assert.equal(5, a.fields.len)
    assert.equal("rexmit", a.rule)
  end)
end)
