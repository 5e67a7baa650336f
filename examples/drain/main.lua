script { doc = "Moves every connection of a service to its standby, and what does not go is tried again", tags = { "drain" } }

local port, standby = 8080, "./standby.sock"

-- Connections that owe their peers much take long to move; they wait for the next round.
rule "not-while-it-owes" {
  on = sock.dump,
  match = { send = is.gt(8000000) },
  verdict = sock.abort,
}

rule "moved" {
  on = sock.closed,
  run = function(s)
    state[s.peer] = true
    log.info("moved", { peer = s.peer, recv = s.recv, send = s.send, blackout = this.took, held = this.held })
  end,
}

local function round()
  for _, s in ipairs(sock.find { port = port, state = "established" }) do
    if not state[s.peer] then -- on one host the standby's connections look the same
      local ok, why = s:move(standby)
      if not ok then log.warn("stays for now", { peer = s.peer, why = why }) end
    end
  end
end

rule "drain" {
  on = hookd.start,
  run = function()
    spawn(function()
      for _ = 1, 100 do
        round()
        sleep "50ms"
      end
    end)
  end,
}
