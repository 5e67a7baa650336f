script { doc = "Readings that come by MQTT are posted to a web server, and what is posted here is published", tags = { "mqtt", "http" } }

loop.listen "mqtt" { url = "mqtt://127.0.0.1:11883" }
loop.listen "web" { url = "http://127.0.0.1:18085" }

-- Where readings go: here it is this process itself, at /readings.
local target = "http://127.0.0.1:18085/readings/"

local readings = store "readings" { kind = "map", key = "string", max = 10000 }

rule "forward" {
  doc = "A reading is acknowledged when the web server has it",
  on = loop.mqtt_publish,
  match = { topic = is.prefix "sensors/" },
  run = function(c, topic, payload)
    local r, err = http.post { url = target .. topic, body = payload, timeout = "5s" }
    if r and r.status < 300 then return end
    log.warn("reading not delivered", { topic = topic, why = err or r.status })
    return loop.refuse
  end,
}

rule "own-only" {
  doc = "Nobody but this process publishes commands",
  on = loop.mqtt_publish,
  match = { topic = is.prefix "commands/" },
  verdict = loop.refuse,
}

rule "publish" {
  doc = "POST /publish/TOPIC publishes the body",
  on = loop.http_request,
  match = { listener = "web", method = "POST", path = is.prefix "/publish/" },
  run = function(c, req)
    local ok, err = mqtt.publish { topic = req.path:sub(#"/publish/" + 1), payload = req.body, qos = 1 }
    if not ok then return loop.reply(400, err .. "\n") end
    return loop.reply(204)
  end,
}

rule "take" {
  doc = "The web server's side: a reading is kept",
  on = loop.http_request,
  match = { listener = "web", method = "POST", path = is.prefix "/readings/" },
  run = function(c, req)
    readings:put(req.path:sub(#"/readings/" + 1), req.body)
    return loop.reply(204)
  end,
}

rule "show" {
  doc = "GET /readings/TOPIC shows the last one",
  on = loop.http_request,
  match = { listener = "web", method = "GET", path = is.prefix "/readings/" },
  run = function(c, req)
    local value = readings:get(req.path:sub(#"/readings/" + 1))
    if not value then return loop.reply(404, "no reading\n") end
    return loop.reply(200, value .. "\n")
  end,
}
