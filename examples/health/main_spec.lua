local function ask()
  local r = dial("health"):get "/health"
  return r.status, json.decode(r.body)
end

describe("health", function()
  it("finds targets down that nobody answers for", function()
    local status, report = ask()
    assert.equal(503, status)
    assert.is_false(report.web.up)
    assert.match("refused", report.web.why)
    assert.equal(0, #alerts())
  end)

  it("tells when one comes up, and when it goes down again", function()
    advance "1s"
    local web = answer("http://127.0.0.1:18080/", "fine")
    advance "2s"
    local status, report = ask()
    assert.equal(503, status)
    assert.same({ up = true, why = "status 200" }, report.web)
    assert.equal("web", alerts("up")[1].fields.target)
    web:close()
    advance "2s"
    assert.equal("web", alerts("down")[1].fields.target)
  end)

  it("is well when all targets are", function()
    answer("http://127.0.0.1:18080/", 200)
    local api = answer("http://127.0.0.1:18091/notes", { status = 404 })
    advance "10s"
    assert.equal(200, ask())
    assert.equal(6, #api:requests() + 1)
  end)

  it("takes one for down that fails, or does not answer in a second", function()
    answer("http://127.0.0.1:18080/", 500)
    silence "http://127.0.0.1:18091/notes"
    advance "4s"
    local _, report = ask()
    assert.same({ up = false, why = "status 500" }, report.web)
    assert.equal("http: timeout", report.api.why)
  end)
end)
