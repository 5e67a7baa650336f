-- The names of mOS's monitoring interface (mos_api.h) on top of hookd's.
--
-- A socket is a table before there is a connection, and the connection itself in callbacks; a context is
-- what one callback is called with, so it has the packet. Calls return what the originals return in
-- their arguments; where one fails it returns nil and a message, as everywhere here.

local mos = {}

-- Hooks, sides, levels, kinds of sockets.
mos.MOS_NULL, mos.MOS_HK_RCV, mos.MOS_HK_SND = "null", "rcv", "snd"
mos.MOS_SIDE_CLI, mos.MOS_SIDE_SVR, mos.MOS_SIDE_BOTH = 0, 1, 2
mos.AF_INET, mos.SOL_MONSOCKET = 2, "monsocket"
mos.MOS_SOCK_MONITOR_STREAM, mos.MOS_SOCK_MONITOR_RAW = "stream", "raw"

-- States, by the originals' numbers.
local numbers = {}
for i, name in ipairs { "closed", "listen", "syn_sent", "syn_received", "established", "fin_wait_1", "fin_wait_2", "close_wait", "closing", "last_ack", "time_wait" } do
  numbers[name] = i - 1
  mos["TCP_" .. name:upper()] = i - 1
end
mos.TCP_SYN_RCVD = mos.TCP_SYN_RECEIVED

-- Events, with the hook points that each hook stands for.
local function on(name, hooks) return { name = name, hooks = hooks } end
mos.MOS_ON_PKT_IN = on("MOS_ON_PKT_IN", { snd = flow.pkt_in.snd, rcv = flow.pkt_in.rcv, null = flow.orphan })
mos.MOS_ON_CONN_START = on("MOS_ON_CONN_START", { snd = flow.conn_start.snd, rcv = flow.conn_start.rcv })
mos.MOS_ON_TCP_STATE_CHANGE = on("MOS_ON_TCP_STATE_CHANGE", { snd = flow.tcp_state_change.snd, rcv = flow.tcp_state_change.rcv })
mos.MOS_ON_REXMIT = on("MOS_ON_REXMIT", { snd = flow.rexmit.snd, rcv = flow.rexmit.rcv })
mos.MOS_ON_CONN_END = on("MOS_ON_CONN_END", { snd = flow.conn_end, rcv = flow.conn_end })
mos.MOS_ON_CONN_NEW_DATA = on("MOS_ON_CONN_NEW_DATA", { null = flow.new_data })
mos.MOS_ON_ERROR = on("MOS_ON_ERROR", { null = flow.error })
mos.MOS_ON_ORPHAN = on("MOS_ON_ORPHAN", { null = flow.orphan })

-- Options.
mos.MOS_TCP_STATE_CLI, mos.MOS_TCP_STATE_SVR = "state client", "state server"
mos.MOS_INFO_CLIBUF, mos.MOS_INFO_SVRBUF = "info client", "info server"
mos.MOS_FRAGINFO_CLIBUF, mos.MOS_FRAGINFO_SVRBUF = "ranges client", "ranges server"
mos.MOS_TIMESTAMP, mos.MOS_STOP_MON = "timestamp", "stop"
mos.MOS_CLIBUF, mos.MOS_SVRBUF = "buffer client", "buffer server"
mos.MOS_CLIOVERLAP, mos.MOS_SVROVERLAP = "overlap client", "overlap server"

-- What mtcp_setlastpkt does, to what, by the originals' bits: MOS_TCP_HDR + MOS_OVERWRITE.
mos.MOS_ETH_HDR, mos.MOS_IP_HDR, mos.MOS_TCP_HDR, mos.MOS_TCP_PAYLOAD = 1, 2, 4, 8
mos.MOS_UPDATE_IP_CHKSUM, mos.MOS_UPDATE_TCP_CHKSUM = 16, 32
mos.MOS_DROP, mos.MOS_OVERWRITE, mos.MOS_CHOMP, mos.MOS_INSERT = 64, 128, 256, 512

-- opposite is the end whose bytes a side has received: the originals' buffers are named by the receiver.
local function opposite(c, side)
  if side == mos.MOS_SIDE_CLI then return c.server end
  if side == mos.MOS_SIDE_SVR then return c.client end
  return nil
end

local function number(side)
  if side == "client" then return mos.MOS_SIDE_CLI end
  if side == "server" then return mos.MOS_SIDE_SVR end
  return mos.MOS_SIDE_BOTH
end

-- context makes the context of a call.
local function context(event, lent)
  if event.data then return { data = lent } end
  return { pkt = lent }
end

-- called makes the function that an event calls of a callback. Events of both sides have none of their own.
local function called(event, at, cb)
  if at == flow.conn_end or at == flow.orphan or event.both then
    return function(c, lent)
      local ctx = context(event, lent)
      cb(ctx, c, mos.MOS_SIDE_BOTH, event, event.arg)
      return ctx.verdict
    end
  end
  return function(c, lent)
    local ctx = context(event, lent)
    cb(ctx, c, number(this.side), event, event.arg)
    return ctx.verdict
  end
end

-- Set-up, which has no work left.
function mos.mtcp_init() return 0 end
function mos.mtcp_create_context(cpu) return { cpu = cpu or 0, callbacks = 0, timers = 0, events = 0 } end
function mos.mtcp_destroy_context() return 0 end
function mos.mtcp_app_join() return 0 end

function mos.mtcp_socket(ctx, domain, kind)
  if kind ~= mos.MOS_SOCK_MONITOR_STREAM and kind ~= mos.MOS_SOCK_MONITOR_RAW then
    return nil, "mtcp_socket: the kind is MOS_SOCK_MONITOR_STREAM or MOS_SOCK_MONITOR_RAW"
  end
  return { kind = kind, context = ctx }
end

-- A filter is a scope, so it is bound before callbacks are registered, and evaluated once a connection.
function mos.mtcp_bind_monitor_filter(ctx, sock, filter)
  sock.syn = filter.stream_syn_filter
  sock.orphan = filter.stream_orphan_filter or filter.raw_pkt_filter
  return 0
end

-- point returns the hook point of an event at a hook; nil and a message where there is none.
local function point(event, hook)
  local at = event.hooks[hook]
  if not at then return nil, event.name .. " has no hook " .. tostring(hook) end
  return at
end

-- At the top level, on a listening socket, it declares a rule for all connections in its scope; in a
-- callback it binds to that connection alone, and nil takes the callback off.
function mos.mtcp_register_callback(ctx, sock, event, hook, cb)
  local at, why = point(event, hook)
  if not at then return nil, "mtcp_register_callback: " .. why end
  if type(sock) == "userdata" then
    if not cb then return sock:off(at) end
    return sock:on(at, called(event, at, cb))
  end
  sock.context.callbacks = sock.context.callbacks + 1
  rule(event.name .. " " .. hook .. " " .. sock.context.callbacks) {
    on = at,
    scope = (at ~= flow.orphan) and sock.syn or nil,
    run = called(event, at, cb),
  }
  return 0
end

-- The filter gets what a callback gets, and must not change anything.
function mos.mtcp_define_event(base, filter, arg)
  mos.defined = (mos.defined or 0) + 1
  local name = "mos_event_" .. mos.defined
  local both = base.both or base == mos.MOS_ON_CONN_END or base == mos.MOS_ON_ORPHAN
  local made = { name = name, data = base.data, both = both, arg = arg, hooks = {} }
  for hook, at in pairs(base.hooks) do
    if at ~= flow.orphan or both then
      local id = name .. "_" .. hook
      event(id) {
        on = at,
        when = function(c, lent)
          local side = mos.MOS_SIDE_BOTH
          if not both then side = number(this.side) end
          return filter(context(base, lent), c, side, made, arg) and true or false
        end,
      }
      made.hooks[hook] = event[id]
    end
  end
  return made
end

-- Bytes.
function mos.mtcp_peek(ctx, c, side, len)
  local from = opposite(c, side)
  if not from then return nil, "mtcp_peek: a side is MOS_SIDE_CLI or MOS_SIDE_SVR" end
  return from.sent:take(len)
end

function mos.mtcp_ppeek(ctx, c, side, len, offset)
  local from = opposite(c, side)
  if not from then return nil, "mtcp_ppeek: a side is MOS_SIDE_CLI or MOS_SIDE_SVR" end
  local bytes = from.sent:peek(offset, len)
  if not bytes then return nil, "mtcp_ppeek: there is no byte at " .. offset end
  return bytes
end

-- Packets.
function mos.mtcp_getlastpkt(ctx)
  if not ctx.pkt then return nil, "mtcp_getlastpkt: there is no packet here" end
  return ctx.pkt
end

-- The fields of headers that can be written, by their place.
local function field(name, len) return { name = name, len = len } end
local fields = {
  [4] = { [8] = field("ttl", 1), [12] = field("src", 4), [16] = field("dst", 4) },
  [6] = { [7] = field("ttl", 1), [8] = field("src", 16), [24] = field("dst", 16) },
  ports = { [0] = field("src_port", 2), [2] = field("dst_port", 2) },
}

-- value reads the bytes of a field as flow.replace wants it.
local function value(bytes)
  if #bytes == 1 then return bytes:byte() end
  if #bytes == 2 then return bytes:byte(1) * 256 + bytes:byte(2) end
  if #bytes == 4 then return ("%d.%d.%d.%d"):format(bytes:byte(1, 4)) end
  local words = {}
  for i = 1, #bytes, 2 do words[#words + 1] = ("%02x%02x"):format(bytes:byte(i, i + 1)) end
  return table.concat(words, ":")
end

-- header notes in changes what bytes written at offset make of the fields there; nil where they are not
-- whole fields.
local function header(changes, known, offset, bytes)
  while #bytes > 0 do
    local f = known[offset]
    if not f or #bytes < f.len then return nil end
    changes[f.name] = value(bytes:sub(1, f.len))
    offset, bytes = offset + f.len, bytes:sub(f.len + 1)
  end
  return true
end

-- overwritten returns what flow.replace has to be told so that bytes stand at offset of a part of the packet.
local function overwritten(pkt, done, part, offset, bytes)
  local changes = {}
  for name, v in pairs(done or {}) do changes[name] = v end
  if part == mos.MOS_IP_HDR then
    if header(changes, fields[pkt.ip_version], offset, bytes) then return changes end
    return nil, "of the IP header, ttl and addresses can be overwritten"
  end
  if part == mos.MOS_TCP_HDR then
    if header(changes, fields.ports, offset, bytes) then return changes end
    return nil, "of the TCP header, the ports can be overwritten"
  end
  if part == mos.MOS_TCP_PAYLOAD then
    local old = changes.payload or pkt.payload
    if offset < 0 or offset + #bytes > #old then return nil, "the payload has " .. #old .. " bytes, and keeps its length" end
    changes.payload = old:sub(1, offset) .. bytes .. old:sub(offset + #bytes + 1)
    return changes
  end
  return nil, "one of MOS_IP_HDR, MOS_TCP_HDR and MOS_TCP_PAYLOAD can be overwritten"
end

-- Several calls in one callback come together; checksums are right with or without MOS_UPDATE_*.
function mos.mtcp_setlastpkt(ctx, sock, side, offset, data, len, option)
  local what = option - option % 64
  if what == mos.MOS_DROP then
    ctx.verdict = flow.drop
    return 0
  end
  if what ~= mos.MOS_OVERWRITE then
    return nil, "mtcp_setlastpkt: MOS_DROP or MOS_OVERWRITE; the length of a stream cannot be changed"
  end
  if not ctx.pkt then return nil, "mtcp_setlastpkt: there is no packet here" end
  len = len or #data
  if #data < len then return nil, "mtcp_setlastpkt: data has " .. #data .. " bytes" end
  local changes, why = overwritten(ctx.pkt, ctx.changes, option % 16, offset, data:sub(1, len))
  if not changes then return nil, "mtcp_setlastpkt: " .. why end
  ctx.changes = changes
  if ctx.verdict ~= flow.drop then ctx.verdict = flow.replace(changes) end
  return 0
end

function mos.mtcp_sendpkt(ctx, sock, pkt) return flow.send(pkt) end

function mos.mtcp_reset_conn(ctx)
  ctx.verdict = flow.reset
  return 0
end

-- Options.
function mos.mtcp_getsockopt(ctx, c, level, option)
  if option == mos.MOS_TIMESTAMP then return math.floor((c.started + c.duration) * 1e6) end
  local what, end_name = tostring(option):match "^(%a+) (%a+)$"
  if what == "state" then return numbers[c[end_name].state] end
  local sender = end_name == "client" and c.server or c.client
  if what == "ranges" then return sender.sent:ranges() end
  if what == "info" then
    return { init_seq = sender.isn and (sender.isn + 1) % 4294967296, next_byte_expected = sender.sent:len() }
  end
  return nil, "mtcp_getsockopt: " .. tostring(option) .. " is no option that can be read"
end

function mos.mtcp_setsockopt(ctx, sock, level, option, value)
  if option == mos.MOS_STOP_MON then
    if type(sock) ~= "userdata" then return nil, "mtcp_setsockopt: MOS_STOP_MON is for a connection" end
    if value == mos.MOS_SIDE_CLI then return sock:stop "client" end
    if value == mos.MOS_SIDE_SVR then return sock:stop "server" end
    return sock:stop()
  end
  if option == mos.MOS_CLIBUF or option == mos.MOS_SVRBUF then return 0 end -- kept where a script reads them
  return nil, "mtcp_setsockopt: " .. tostring(option) .. " is a setting of the flow stack: hookd doc settings"
end

function mos.mtcp_getpeername(ctx, c, side)
  if side == mos.MOS_SIDE_CLI then return c.client.endpoint end
  if side == mos.MOS_SIDE_SVR then return c.server.endpoint end
  return c.client.endpoint, c.server.endpoint
end

-- Data of one's own on a connection.
function mos.mtcp_set_uctx(ctx, c, value) c.data.uctx = value end
function mos.mtcp_get_uctx(ctx, c) return c.data.uctx end

-- Time. A timer of the top level repeats, as the originals' do that set themselves again.
function mos.mtcp_settimer(ctx, id, interval, cb)
  ctx.timers = ctx.timers + 1
  timer("mos " .. tostring(id) .. " " .. ctx.timers) { every = interval, run = function() cb({}, id, mos.MOS_SIDE_CLI, nil) end }
  return 0
end

function mos.mtcp_cb_get_ts() return math.floor(this.ts * 1e6) end

mos.MOS_ON_CONN_NEW_DATA.data = true

return mos
