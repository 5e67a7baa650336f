-- One native rule at each of twelve hook points; none ever matches. The last rule makes the stack
-- keep what connections send: its hook point is raised for picked-up connections only.
script { doc = "Twelve native rules that never match, with stream buffers kept" }

local never = { client = { ip = "192.0.2.255" }, server = { port = 1 } }

rule "pkt-snd" { on = flow.pkt_in.snd, match = never, verdict = flow.drop }
rule "pkt-rcv" { on = flow.pkt_in.rcv, match = never, verdict = flow.drop }
rule "start-snd" { on = flow.conn_start.snd, match = never, verdict = flow.cut }
rule "start-rcv" { on = flow.conn_start.rcv, match = never, verdict = flow.cut }
rule "state-snd" { on = flow.tcp_state_change.snd, match = never, verdict = flow.drop }
rule "state-rcv" { on = flow.tcp_state_change.rcv, match = never, verdict = flow.drop }
rule "rexmit-snd" { on = flow.rexmit.snd, match = never, verdict = flow.drop }
rule "rexmit-rcv" { on = flow.rexmit.rcv, match = never, verdict = flow.drop }
rule "gap" { on = flow.gap, match = never, verdict = flow.drop }
rule "error" { on = flow.error, match = never, verdict = flow.drop }
rule "side-closed" { on = flow.side_closed, match = never, verdict = flow.drop }
rule "data" { on = flow.new_data, match = never, verdict = flow.drop }

rule "buffers" { on = flow.conn_adopted, run = function(c) c:tag(tostring(c.client.sent:len())) end }
