local function sensor()
  local c = dial "mqtt"
  assert.equal(0, c:login({ id = "sensor" }).code)
  return c
end

describe("the bridge", function()
  it("posts readings, and acknowledges what the web server has", function()
    assert.equal(0, sensor():publish { topic = "sensors/attic", payload = "21.5", qos = 1 })
    local r = dial("web"):get "/readings/sensors/attic"
    assert.equal("21.5\n", r.body)
  end)

  it("refuses readings that it cannot deliver", function()
    local c = dial "mqtt"
    c:login { id = "sensor", version = 5 }
    assert.equal(135, c:publish { topic = "sensors/%zz", payload = "1", qos = 1 }) -- not authorized
    assert.equal("reading not delivered", logs()[1].message)
  end)

  it("publishes what is posted", function()
    local c = sensor()
    assert.equal(1, c:subscribe("commands/#", 1))
    assert.equal(204, dial("web"):post("/publish/commands/fan", "on").status)
    local topic, payload, more = c:hear()
    assert.equal("commands/fan", topic)
    assert.equal("on", payload)
    assert.equal(1, more.qos)
    assert.equal(400, dial("web"):post("/publish/a/+", "on").status)
  end)

  it("lets nobody else publish commands", function()
    local c = dial "mqtt"
    c:login { id = "intruder", version = 5 }
    local heard = sensor()
    heard:subscribe "commands/#"
    assert.equal(135, c:publish { topic = "commands/fan", payload = "on", qos = 1 }) -- not authorized
    assert.is_nil(heard:hear())
    assert.equal("loop.refuse", decisions("own-only")[1].verdict)
  end)
end)
