script { doc = "Moves connections off a process that has stopped reading", tags = { "drain" } }

local port, standby = 8080, "./standby.sock"
local patience = 5 -- looks, of which there are ten a second

-- By connection: its unread bytes, and how often in a row it was seen with none of them read.
local seen = {}
-- Processes that have stopped, by their id as text: a table with a great number as its only
-- key is a list with as many places. One connection may wait for good reason; a process of which
-- several do has stopped, and the rest of its connections follow one by one.
local stopped = {}

local function look()
  local now, standing, of, still = {}, {}, {}, {}
  for _, s in ipairs(sock.find { port = port, state = "established" }) do
    local before = seen[s.id] or { unread = 0, looks = 0 }
    local same = s.recv > 0 and s.recv >= before.unread
    local pid = tostring(s.pid)
    still[pid] = stopped[pid]
    now[s.id] = { unread = s.recv, looks = same and before.looks + 1 or 0 }
    if now[s.id].looks >= patience then
      standing[#standing + 1] = s
      of[pid] = (of[pid] or 0) + 1
    end
  end
  seen, stopped = now, still
  for _, s in ipairs(standing) do
    local pid = tostring(s.pid)
    if stopped[pid] or of[pid] > 1 then
      stopped[pid] = true
      local ok, why = s:move(standby)
      if not ok then log.warn("stays for now", { peer = s.peer, why = why }) end
    end
  end
end

rule "moved" {
  on = sock.closed,
  run = function(s) alert("stuck", { peer = s.peer, owner = s.owner, unread = s.recv, blackout = this.took }) end,
}

rule "watch" {
  on = hookd.start,
  run = function()
    spawn(function()
      while true do
        look()
        sleep "100ms"
      end
    end)
  end,
}
