local function notes(c) return json.decode(c:get("/notes").body) end

describe("notes", function()
  it("are added, listed, read and deleted", function()
    local c = dial "notes"
    assert.same({ notes = {}, count = 0 }, notes(c))
    local r = c:post("/notes", '{"text":"buy milk"}')
    assert.equal(201, r.status)
    assert.equal("application/json", r.headers["content-type"])
    assert.same({ id = 1, text = "buy milk" }, json.decode(r.body))
    c:post("/notes", '{"text":"and bread"}')
    assert.equal(2, notes(c).count)
    assert.same({ id = 2, text = "and bread" }, json.decode(c:get("/notes/2").body))
    assert.equal(204, c:request({ method = "DELETE", path = "/notes/1" }).status)
    assert.equal(404, c:get("/notes/1").status)
    assert.same({ notes = { { id = 2, text = "and bread" } }, count = 1 }, notes(c))
  end)

  it("need a text", function()
    local c = dial "notes"
    assert.equal(400, c:post("/notes", '{"text":').status)
    assert.equal(400, c:post("/notes", '{"words":1}').status)
    assert.equal(405, (function()
      c:post("/notes", '{"text":"x"}')
      return c:request({ method = "PUT", path = "/notes/1", body = "y" }).status
    end)())
  end)

  it("are no longer than 16 KiB", function()
    local r = dial("notes"):post("/notes", json.encode { text = ("x"):rep(20000) })
    assert.equal(413, r.status)
    assert.equal(0, #decisions "add")
  end)
end)
