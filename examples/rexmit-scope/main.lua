script { doc = "Retransmissions on connections to one network and port, as in mOS's own manual", tags = { "tcp" } }

-- mtcp_bind_monitor_filter(m, s, "dst net 216.58 and dst port 80")
-- mtcp_register_callback(m, s, MOS_ON_REXMIT, MOS_HK_RCV, OnRexmitPkt)
rule "rexmit" {
  doc = "Every retransmission, with its count on the connection",
  on = flow.rexmit.rcv,
  scope = "dst net 216.58 and dst port 80",
  run = function(c, pkt)
    c.data.count = (c.data.count or 0) + 1
    alert("retransmission", { seq = pkt.seq, len = pkt.payload_len, at = this.side, count = c.data.count })
  end,
}
