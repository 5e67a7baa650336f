describe("sip-relay", function()
  -- The server is where the script sends new requests; a caller is anywhere.
  local function call()
    local caller, server = phone "192.0.2.1", phone { address = "127.0.0.1:15080", user = "server" }
    local invite = caller:send("INVITE", "sip:bob@127.0.0.1:15060", { body = "v=0\r\n" })
    return caller, server, invite, server:expect "INVITE"
  end

  it("relays a call and stays in its path", function()
    watch "sip.*"
    local caller, server, _, leg = call()
    assert.equal("sip:bob@127.0.0.1:15080", leg.uri)
    assert.equal("0", leg:header "X-Branch")
    leg:reply(180)
    caller:expect(180)
    leg:reply(200)
    local ok = caller:expect(200)
    ok:ack()
    server:expect "ACK"
    assert.same({
      "sip.request_in", "sip.request_pending", "sip.response_sent", "sip.request_fwded", "sip.request_sent", "sip.request_out",
      "sip.response_in", "sip.response_fwded", "sip.response_ready", "sip.response_sent",
      "sip.response_in", "sip.response_fwded", "sip.response_ready", "sip.response_pre_out", "sip.response_out", "sip.response_sent",
      "sip.e2eack_in",
    }, points "sip.*")

    -- Who hung up does not matter: both go by the route that was recorded.
    leg:send("BYE")
    caller:expect("BYE"):reply(200)
    server:expect(200)
    assert.equal("route", decisions()[1].rule)
  end)

  it("makes a 480 of a 503", function()
    local caller, _, _, leg = call()
    leg:reply(503)
    caller:expect(480):ack()
    assert.equal("failed", decisions("failed")[1].rule)
  end)

  it("lets the caller give up", function()
    local caller, server, invite, leg = call()
    leg:reply(180)
    caller:expect(180)
    invite:cancel()
    assert.equal("CANCEL", caller:expect(200):header("CSeq"):match "%a+")
    server:expect("CANCEL"):reply(200)
    leg:reply(487)
    caller:expect(487):ack()
    server:expect "ACK"
  end)

  it("answers 408 for a server that says nothing", function()
    local caller, _, _, leg = call()
    advance "31s"
    assert.same({ 100 }, caller:waiting())
    assert.equal(5, leg.copies)
    advance "2s"
    assert.equal("Request Timeout", caller:expect(408).reason)
  end)

  it("relays what belongs to no call once", function()
    local caller, server = phone "192.0.2.1", phone { address = "127.0.0.1:15080" }
    caller:send("OPTIONS", "sip:bob@127.0.0.1:15060")
    local options = server:expect "OPTIONS"
    assert.is_nil(options:header "Record-Route")
    options:reply(200, { headers = { Allow = "INVITE, ACK, BYE" } })
    assert.equal("INVITE, ACK, BYE", caller:expect(200):header "Allow")
  end)

  it("serves nobody who only says that he is in a dialog", function()
    local caller = phone "192.0.2.1"
    caller:send("BYE", "sip:bob@192.0.2.99", { headers = { To = "<sip:bob@192.0.2.99>;tag=1" } })
    caller:expect(404)
  end)
end)
