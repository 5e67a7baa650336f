local function values(r)
  local list = {}
  for _, a in ipairs(r.answers) do list[#list + 1] = a.value end
  return list
end

describe("the name server", function()
  it("leads names on the list nowhere, and those below them", function()
    local c = dial("dns", { from = "192.0.2.99" })
    assert.same({ "0.0.0.0" }, values(c:ask "ads.example"))
    assert.same({ "::" }, values(c:ask("deep.below.Ads.example", "AAAA")))
    local a = alerts "blocked-name"
    assert.equal(2, #a)
    assert.equal("192.0.2.99", a[1].fields.client)
    assert.equal("ads.example", a[2].fields.entry)
  end)

  it("knows this house, by TCP too", function()
    for _, listener in ipairs { "dns", "dns-tcp" } do
      local c = dial(listener)
      assert.same({ "192.0.2.7" }, values(c:ask "printer.lan"))
      local r = c:ask "scanner.lan"
      assert.equal("NXDOMAIN", r.code)
    end
  end)

  it("asks others for the rest", function()
    answer("dns", { ["good.example"] = { "198.51.100.1", "2001:db8::1" } })
    local c = dial "dns"
    assert.same({ "198.51.100.1" }, values(c:ask "good.example"))
    assert.same({ "2001:db8::1" }, values(c:ask("good.example", "AAAA")))
    assert.equal("NXDOMAIN", c:ask("none.example").code)
    assert.same({ "198.51.100.1" }, values(dial("dns-tcp"):ask "good.example"))
    assert.equal("loop.forward", decisions("rest")[1].verdict)
  end)
end)
