-- A chat: the page and the WebSocket behind it, at http://127.0.0.1:18090/
loop.listen "chat" { url = "http://127.0.0.1:18090", http = { message = "4KiB" } }

local page = [[
<!doctype html>
<meta charset="utf-8">
<title>chat</title>
<style>body { font: 16px sans-serif; max-width: 40em; margin: 2em auto } #log { white-space: pre-wrap }</style>
<div id="log"></div>
<form id="say"><input id="text" autocomplete="off" autofocus size="50"></form>
<script>
const log = document.getElementById("log"), text = document.getElementById("text")
const name = new URLSearchParams(location.search).get("name") || ""
const ws = new WebSocket("ws://" + location.host + "/ws?name=" + encodeURIComponent(name))
ws.onmessage = e => log.append(e.data + "\n")
ws.onclose = () => log.append("* the server is gone\n")
document.getElementById("say").onsubmit = e => { e.preventDefault(); ws.send(text.value); text.value = "" }
</script>
]]

local function tell(text)
  for _, c in ipairs(loop.conns { listener = "chat", protocol = "ws" }) do
    c:ws_send(text)
  end
end

rule "page" {
  on    = loop.http_request,
  match = { listener = "chat", method = "GET", path = "/" },
  run   = function(c, req) return loop.reply(200, page, { ["content-type"] = "text/html; charset=utf-8" }) end,
}

rule "name" {
  on    = loop.ws_handshake,
  match = { listener = "chat" },
  run   = function(c, req)
    local name = req:param "name" or ""
    c.data.name = name:match "^%w+$" and #name <= 20 and name or "guest " .. c.id
  end,
}

rule "join" {
  on    = loop.ws_open,
  match = { listener = "chat" },
  run   = function(c) tell("* " .. c.data.name .. " is here") end,
}

rule "say" {
  on    = loop.ws_message,
  match = { listener = "chat" },
  run   = function(c, message) tell(c.data.name .. ": " .. message) end,
}

rule "leave" {
  on    = loop.ws_close,
  match = { listener = "chat" },
  run   = function(c) tell("* " .. c.data.name .. " left") end,
}
