-- Three wide fields, read at both phases of each TCP packet by a handler that runs in the Lua
-- machine: the call that it has, though nothing leads to it, has no native form. A native one would
-- not read the two fields that nothing uses.
script { doc = "A handler that reads three wide fields of each packet" }

local last

rule "fields" {
  on = { flow.pkt_in.snd, flow.pkt_in.rcv },
  run = function(c, pkt)
    local seq, ack, ts = pkt.seq, pkt.ack, pkt.ts
    if not seq then log.warn "no number" end
    last = seq
  end,
}
