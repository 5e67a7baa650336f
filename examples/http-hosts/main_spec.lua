local function requests()
  local list = {}
  for i, a in ipairs(alerts "http") do list[i] = a.fields.method .. " " .. a.fields.host .. " " .. a.fields.path end
  return list
end

describe("HTTP requests", function()
  it("are reported with host and path, also those that come in pieces", function()
    replay "capture.pcap"
    assert.same({
      "GET www.example.net /index.html", "POST forms.example.org:8080 /form", "GET 10.0.0.80 /old",
      "GET www.example.net /a", "GET www.example.net /b",
    }, requests())
  end)

  it("are what clients send", function()
    local c = connection { client = "10.0.0.1:40000", server = "10.0.0.2:80" }
    c:open()
    c:send("server", "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    c:send("client", "HELLO / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert.same({}, requests())
    assert.equal(0, rule("request").matched)
  end)

  it("byte by byte", function()
    local c = connection { client = "10.0.0.1:40000", server = "10.0.0.2:80" }
    c:open()
    c:send("client", "GET ")
    for byte in ("/x HTTP/1.1\r\nHost: slow\r\n\r\n"):gmatch "." do c:send("client", byte) end
    assert.same({ "GET slow /x" }, requests())
  end)
end)
