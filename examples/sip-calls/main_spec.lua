describe("sip-calls", function()
  it("tells how calls of the capture went", function()
    replay "capture.pcap"
    local calls = {}
    for _, a in ipairs(alerts "call") do calls[#calls + 1] = a.fields.from .. " " .. a.fields.to .. " " .. a.fields.by end
    assert.same({ "alice bob alice", "alice 009001234 009001234", "dave erin dave" }, calls)
    assert.equal(8, alerts("call")[1].fields.seconds)
    assert.same({ from = "alice", to = "carol", code = 486, tries = 2 }, alerts("failed")[1].fields)
  end)

  it("decides nothing about them", function()
    watch "sip.*"
    replay "capture.pcap"
    assert.equal("sip.reply", decisions("premium")[1].verdict)
    assert.equal("sip.edit", decisions("mark")[1].verdict)
    -- The proxy in the capture was not stopped by it.
    assert.equal(4, #points "sip.e2eack_in" + #points "sip.ack_neg_in")
  end)
end)
