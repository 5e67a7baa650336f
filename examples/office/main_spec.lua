describe("the office", function()
  it("says who asked which host for what", function()
    replay "capture.pcap"
    local seen = alerts "http-request"
    assert.equal(3, #seen)
    assert.equal("GET / HTTP/1.1", seen[1].fields.line)
    assert.equal("intranet.example", seen[1].fields.host)
    assert.equal("GET /page.txt HTTP/1.1", seen[2].fields.line)
    assert.equal(2, seen[2].fields.visits)
    assert.equal("six.example", seen[3].fields.host)
  end)

  it("knows both ends' ssh", function()
    replay "capture.pcap"
    local s = alerts("ssh-session")[1]
    assert.match("^OpenSSH", s.fields.client)
    assert.match("^OpenSSH", s.fields.server)
    assert.equal("fin", s.fields.why)
  end)

  it("cuts telnet and nothing else", function()
    local c = connection { client = "10.0.0.1:40000", server = "10.0.0.2:23" }
    assert.equal("flow.cut", c:syn())
    local web = connection { client = "10.0.0.1:40001", server = "10.0.0.2:80" }
    assert.is_nil(web:open())
    assert.equal(1, #decisions())
    assert.equal("no-telnet", decisions()[1].rule)
  end)

  it("forgets visitors after an hour", function()
    local function visit()
      local c = connection { client = "10.0.0.1:40000", server = "10.0.0.2:80" }
      c:open()
      c:send("client", "GET / HTTP/1.0\r\n\r\n")
      c:close()
    end
    visit()
    visit()
    assert.equal(2, alerts("http-request")[2].fields.visits)
    advance "1h"
    visit()
    assert.equal(1, alerts("http-request")[3].fields.visits)
  end)
end)
