describe("the balancer", function()
  it("sends a call that a gateway leaves alone to the next one", function()
    local caller, first, second = phone "192.0.2.1", phone "192.0.2.10:5080", phone "192.0.2.11:5080"
    caller:send("INVITE", "sip:bob@example.com")
    local lost = first:expect "INVITE"
    assert.equal("sip:bob@example.com", lost.uri)
    advance "4s"
    second:expect("INVITE"):reply(486)
    caller:expect(486)
  end)

  it("does not ask another one when the callee is busy", function()
    local caller, first = phone "192.0.2.1", phone "192.0.2.10:5080"
    caller:send("INVITE", "sip:bob@example.com")
    first:expect("INVITE"):reply(486)
    caller:expect(486)
  end)

  it("takes out who answers no question", function()
    local first, spare = phone "192.0.2.10:5080", phone "192.0.2.12:5080"
    for _ = 1, 300 do
      advance "200ms"
      local m = first:take()
      if m then m:reply(200) end
      spare:take()
    end
    assert.equal("sip:192.0.2.11:5080", alerts("gateway")[1].fields.uri)
    assert.is_false(alerts("gateway")[1].fields.up)
  end)
end)
