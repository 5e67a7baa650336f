-- Asks servers how they are, and says so at http://127.0.0.1:18092/health
local targets = {
  web = "http://127.0.0.1:18080/",
  api = "http://127.0.0.1:18091/notes",
}

loop.listen "health" { url = "http://127.0.0.1:18092" }

local function check(name, url)
  local r, why = http.get { url = url, timeout = "1s" }
  local up = r ~= nil and r.status < 500
  local was = state[name]
  state[name] = { up = up, why = why or "status " .. r.status }
  if was and was.up ~= up then alert(up and "up" or "down", { target = name, url = url, why = state[name].why }) end
end

local function check_all()
  for name, url in pairs(targets) do
    spawn(check, name, url)
  end
end

rule "at-once" { on = hookd.start, run = check_all }
timer "check" { every = "2s", run = check_all }

rule "report" {
  on    = loop.http_request,
  match = { listener = "health", path = "/health" },
  run   = function(c, req)
    local report, status = {}, 200
    for name in pairs(targets) do
      local s = state[name]
      report[name] = { up = s ~= nil and s.up, why = s and s.why or "not asked yet" }
      if not report[name].up then status = 503 end
    end
    return loop.reply(status, json.encode(report) .. "\n", { ["content-type"] = "application/json" })
  end,
}
