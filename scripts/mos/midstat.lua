script { doc = "mOS's sample midstat in its own words: connections, their states, each second", shards = "each" }

local m = require "mos"

local ctx = m.mtcp_create_context(0)
local listener = m.mtcp_socket(ctx, m.AF_INET, m.MOS_SOCK_MONITOR_STREAM, 0)
m.mtcp_bind_monitor_filter(ctx, listener, { stream_syn_filter = "tcp and not dst port 9" })

local function started(ctx, sock)
  local client, server = m.mtcp_getpeername(ctx, sock, m.MOS_SIDE_BOTH)
  m.mtcp_set_uctx(ctx, sock, client .. " " .. server)
  state.open = (state.open or 0) + 1
  if sock.server.port == 873 then m.mtcp_setsockopt(ctx, sock, m.SOL_MONSOCKET, m.MOS_STOP_MON, m.MOS_SIDE_BOTH) end
end

local function changed(ctx, sock, side)
  alert("state", {
    side = side,
    client = m.mtcp_getsockopt(ctx, sock, m.SOL_MONSOCKET, m.MOS_TCP_STATE_CLI),
    server = m.mtcp_getsockopt(ctx, sock, m.SOL_MONSOCKET, m.MOS_TCP_STATE_SVR),
  })
end

local function ended(ctx, sock)
  state.open = state.open - 1
  alert("ended", { ends = m.mtcp_get_uctx(ctx, sock) })
end

local function data(ctx, sock, side)
  local bytes = m.mtcp_peek(ctx, sock, side, 100)
  alert("data", { side = side, bytes = bytes, again = m.mtcp_ppeek(ctx, sock, side, 100, 0) })
  if bytes == "quit" then m.mtcp_register_callback(ctx, sock, m.MOS_ON_CONN_NEW_DATA, m.MOS_NULL, nil) end
end

m.mtcp_register_callback(ctx, listener, m.MOS_ON_CONN_START, m.MOS_HK_SND, started)
m.mtcp_register_callback(ctx, listener, m.MOS_ON_TCP_STATE_CHANGE, m.MOS_HK_RCV, changed)
m.mtcp_register_callback(ctx, listener, m.MOS_ON_CONN_END, m.MOS_HK_SND, ended)

-- As in simple_firewall: an event of its own, a drop.
local function is_syn(ctx)
  local pkt = m.mtcp_getlastpkt(ctx)
  return pkt:has "syn" and not pkt:has "ack"
end
local on_syn = m.mtcp_define_event(m.MOS_ON_PKT_IN, is_syn)
m.mtcp_register_callback(ctx, listener, on_syn, m.MOS_HK_SND, function(ctx, sock, side)
  if sock.server.port == 23 then m.mtcp_setlastpkt(ctx, sock, side, 0, nil, 0, m.MOS_DROP) end
  m.mtcp_register_callback(ctx, sock, m.MOS_ON_CONN_NEW_DATA, m.MOS_NULL, data)
end)

-- As in mOS's nat: what passes is another packet than what came.
m.mtcp_register_callback(ctx, listener, m.MOS_ON_PKT_IN, m.MOS_HK_SND, function(ctx, sock, side)
  if sock.server.port ~= 8080 or side ~= m.MOS_SIDE_CLI then return end
  local pkt = m.mtcp_getlastpkt(ctx, sock, side)
  local done, why = m.mtcp_setlastpkt(ctx, sock, side, 8, "\7", 1, m.MOS_IP_HDR + m.MOS_OVERWRITE)
  local at = pkt.payload:find("secret", 1, true)
  if at then done, why = m.mtcp_setlastpkt(ctx, sock, side, at - 1, "******", 6, m.MOS_TCP_PAYLOAD + m.MOS_OVERWRITE + m.MOS_UPDATE_TCP_CHKSUM) end
  if pkt.payload == "longer" then done, why = m.mtcp_setlastpkt(ctx, sock, side, 6, "!", 1, m.MOS_TCP_PAYLOAD + m.MOS_OVERWRITE) end
  if pkt.payload == "window" then done, why = m.mtcp_setlastpkt(ctx, sock, side, 14, "\0\0", 2, m.MOS_TCP_HDR + m.MOS_OVERWRITE) end
  if pkt.payload == "insert" then done, why = m.mtcp_setlastpkt(ctx, sock, side, 0, "x", 1, m.MOS_TCP_PAYLOAD + m.MOS_INSERT) end
  if not done then alert("not overwritten", { why = why }) end
end)

m.mtcp_settimer(ctx, 7, "1s", function(ctx, id) alert("open", { n = state.open or 0, id = id }) end)
