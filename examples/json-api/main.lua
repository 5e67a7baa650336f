-- A JSON API for a list of notes, at http://127.0.0.1:18091/notes
loop.listen "notes" { url = "http://127.0.0.1:18091", http = { body = "16KiB" } }

local function answer(status, value)
  return loop.reply(status, json.encode(value) .. "\n", { ["content-type"] = "application/json" })
end

local function problem(status, text) return answer(status, { error = text }) end

state.notes = state.notes or {}

rule "list" {
  on    = loop.http_request,
  match = { listener = "notes", method = "GET", path = "/notes" },
  run   = function(c, req)
    local list = {}
    for id, text in pairs(state.notes) do
      list[#list + 1] = { id = tonumber(id), text = text }
    end
    table.sort(list, function(a, b) return a.id < b.id end)
    return answer(200, { notes = list, count = #list })
  end,
}

rule "add" {
  on    = loop.http_request,
  match = { listener = "notes", method = "POST", path = "/notes" },
  run   = function(c, req)
    local note, why = json.decode(req.body)
    if type(note) ~= "table" or type(note.text) ~= "string" then return problem(400, why or "a text is expected") end
    local id = state:incr("last", 1)
    state.notes[tostring(id)] = note.text
    return answer(201, { id = id, text = note.text })
  end,
}

rule "one" {
  on    = loop.http_request,
  match = { listener = "notes", path = is.prefix "/notes/" },
  run   = function(c, req)
    local id = req.path:match "^/notes/(%d+)$"
    local text = id and state.notes[id]
    if not text then return problem(404, "there is no such note") end
    if req.method == "GET" then return answer(200, { id = tonumber(id), text = text }) end
    if req.method ~= "DELETE" then return problem(405, "GET and DELETE are possible") end
    state.notes[id] = nil
    return loop.reply(204)
  end,
}
