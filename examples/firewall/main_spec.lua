local function syn(client, server)
  return connection { client = client .. ":40000", server = server }:syn()
end

describe("the firewall", function()
  it("drops by network and port", function()
    assert.equal("flow.cut", syn("10.1.0.5", "10.0.0.80:23"))
    assert.is_nil(syn("10.1.0.6", "10.0.0.80:80"))
    assert.equal("flow.cut", syn("203.0.113.200", "10.0.0.22:22"))
    assert.is_nil(syn("192.0.2.1", "10.0.0.22:22"))
  end)

  it("takes the longest prefix", function()
    assert.equal("flow.cut", syn("10.1.2.9", "10.0.0.80:80"))
    assert.is_nil(syn("10.1.2.10", "10.0.0.80:443"))
    assert.equal("flow.cut", syn("10.1.2.10", "10.0.0.80:80"))
  end)

  it("does not take one port for another", function()
    assert.is_nil(syn("10.1.0.5", "10.0.0.80:232"))
  end)

  it("counts hits", function()
    replay "capture.pcap"
    advance "1s"
    local last = {}
    for _, a in ipairs(alerts "hits") do last[a.fields.rule] = a.fields.n end
    assert.same({ ["drop 23 2323"] = 3, drop = 1, ["accept 443"] = 1, accept = 1, ["drop 22"] = 2 }, last)
  end)
end)
