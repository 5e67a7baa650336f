-- Three wide fields, read at both phases of each TCP packet.
script { doc = "A handler that reads three wide fields of each packet" }

local last

rule "fields" {
  on = { flow.pkt_in.snd, flow.pkt_in.rcv },
  run = function(c, pkt)
    local seq, ack, ts = pkt.seq, pkt.ack, pkt.ts
    last = seq
  end,
}
