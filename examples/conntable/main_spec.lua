describe("the table of connections", function()
  it("lists what is open, each second", function()
    replay "capture.pcap"
    local open = {}
    for i, a in ipairs(alerts "connections") do open[i] = a.fields.open end
    assert.same({ 2, 2, 2 }, { open[1], open[2], open[3] })
    assert.equal(2, #alerts "ended")
  end)

  it("shows both ends' states", function()
    local c = connection { client = "10.0.0.1:40000", server = "10.0.0.2:80" }
    c:open()
    c:fin "client"
    advance "1s"
    local a = alerts("connection")[1].fields
    assert.equal("fin_wait_2", a.client_state)
    assert.equal("close_wait", a.server_state)
  end)

  it("says why a connection ended", function()
    local c = connection { client = "10.0.0.1:40000", server = "10.0.0.2:80" }
    c:open()
    c:rst "server"
    assert.equal("rst", alerts("ended")[1].fields.why)
  end)
end)
