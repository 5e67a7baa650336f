script { doc = "The connections that pass, each second, as netstat has them on a host: mOS's sample midstat", tags = { "tcp" } }

-- mtcp_settimer(mctx, id, &one_second, DumpConnections)
timer "dump" {
  every = "1s",
  run = function()
    local list, why = flow.conns "tcp"
    if why then log.warn(why) end
    alert("connections", { open = #list, total = state.total or 0 })
    for _, c in ipairs(list) do
      alert("connection", {
        client = c.client.endpoint, server = c.server.endpoint, client_state = c.client.state, server_state = c.server.state, changes = c.data.changes,
        sent = c.client.bytes, received = c.server.bytes, age = c.duration,
      })
    end
  end,
}

-- mtcp_register_callback(m, s, MOS_ON_CONN_START, MOS_HK_SND, ApplyConnStart)
rule "started" { on = flow.conn_start, run = function() state:incr "total" end }

-- mtcp_register_callback(m, s, MOS_ON_TCP_STATE_CHANGE, MOS_HK_SND | MOS_HK_RCV, ...)
rule "changed" {
  on = { flow.tcp_state_change.snd, flow.tcp_state_change.rcv },
  run = function(c) c.data.changes = (c.data.changes or 0) + 1 end,
}

-- mtcp_register_callback(m, s, MOS_ON_CONN_END, MOS_HK_SND, ApplyConnEnd)
rule "ended" {
  on = flow.conn_end,
  run = function(c)
    alert("ended", { client = c.client.endpoint, server = c.server.endpoint, why = this.reason, sent = c.client.bytes, received = c.server.bytes, lasted = c.duration })
  end,
}
