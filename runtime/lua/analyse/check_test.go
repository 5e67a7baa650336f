package analyse_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/runtime/lua/analyse"
	"github.com/hookd/hookd/runtime/lua/source"
)

// library is what scripts have beside the catalogue, as far as the tests use it.
var library = []string{"rule", "event", "timer", "store", "state", "script", "is", "this", "raise", "pairs", "ipairs", "string", "tostring"}

// TestCheck reads what is expected from comments: "--! text" on a line means a
// diagnostic there whose message and hint contain the text; no comment, none.
func TestCheck(t *testing.T) {
	tests := []struct{ name, src string }{
		{"globals", `
local a = flwo.rexmit --! unknown name flwo (did you mean flow?)
function helper() return later end
later = 1
helper()
print("x") --! unknown name print
for i = 1, 3 do local x = i end
local function f(...) return f(...) end
`},
		{"families", `
rule "a" { on = flow.rexmitt, run = function() end } --! flow has no hook point, verdict or function rexmitt (did you mean rexmit?)
rule "b" { on = flow.rexmit.rvc, run = function() end } --! flow.rexmit has no phase rvc (did you mean rcv?)
rule "c" { on = flow.conn_end.snd, verdict = flow.cutt } --! flow has no hook point, verdict or function cutt
log.inf("x") --! log has no function inf (did you mean info?)
`},
		{"what was meant", `
io.write "x" --! unknown name io (scripts reach no files: log.info and alert say something, data and store read and keep it)
rule "a" { on = tcp.rexmit, run = function() end } --! unknown name tcp (connections and packets are events of flow, as in flow.conn_start)
rule "b" { on = flow.retransmission, run = function() end } --! flow has no hook point, verdict or function retransmission ('hookd hooks "flow.*"' lists its hook points)
rule "c" { on = flow.conn_start, run = function(c) log.info(c.src_ip) end } --! flow.conn has no field or method src_ip (its ends are client and server, as in client.ip and server.port)
rule "d" { on = flow.conn_start, run = function(c) log.info(c.payload) end } --! flow.conn has no field or method payload ('hookd doc flow.conn' lists what it has)
rule "e" { on = flow.conn_start, run = function(c) log.info(c.client.address) end } --! flow.peer has no field or method address (there is
`},
		{"functions before they are there", `
rule "a" { on = flow.conn_start, run = handle } --! handle is nil here: it is declared at line 3 (put the function above)
function handle(c) later(c) end
rule "b" { on = flow.conn_start, run = handle }
function later(c) end
rule "c" { on = flow.conn_start, run = function(c) last(c) end }
function last(c) end
local plain = tostring
function tostring(v) return plain(v) end
`},
		{"what handlers return", `
rule "a" { on = flow.conn_start, run = function(c) return "drop" end } --! a handler returns a verdict or nothing, not a string (here it may be flow.cut, flow.reset)
rule "b" { on = flow.conn_start, run = function(c) return flow.drop end } --! flow.drop cannot be decided at flow.conn_start (here it may be flow.cut, flow.reset)
rule "c" { on = flow.conn_start, run = function(c) return flow.cut() end } --! flow.cut is a verdict without arguments (write flow.cut)
rule "d" { on = flow.conn_end, run = function(c) return true end } --! a handler returns a verdict or nothing, not a boolean (nothing can be decided here)
rule "e" { on = loop.http_request, run = function(c) return 200, "x" end } --! a handler returns a verdict or nothing, not a number (here it may be loop.reply
rule "f" { on = flow.conn_start, when = function(c) return true end, run = function(c) local function f() return 1 end f() return nil end }
timer "t" { every = "1s", run = function() return false end }
`},
		{"fields", `
rule "a" { on = flow.pkt_in, run = function(c, pkt)
  log.info(c.client.ip)
  log.info(c.clinet.ip) --! flow.conn has no field or method clinet (did you mean client?)
  local s = c.server
  log.info(s.prot) --! flow.peer has no field or method prot
  c:untagg "x" --! flow.conn has no field or method untagg (did you mean untag?)
  if pkt.len > 3 then c.data.anything = pkt.payload_len end
end }
`},
		{"followed only while certain", `
rule "a" { on = flow.pkt_in, run = function(c, pkt)
  local s = c.server
  s = { prot = 1 }
  log.info(s.prot)
  local function inner(c) return c.nothing end
  inner(c)
  for _, c in pairs {} do log.info(c.whatever) end
end }
local function outside(c) return c.unknown_here end
outside {}
`},
		{"read-only", `
rule "a" { on = flow.pkt_in, run = function(c, pkt)
  c.vlan = 5 --! flow.conn.vlan is read-only
  local s = c.server
  s.port, c.data.x = 1, 2 --! flow.peer.port is read-only
  c.data = {} --! flow.conn.data is read-only
  this.ts = 5 --! this is read-only
  function pkt.has() end --! flow.packet.has is read-only
  c.clinet.port = 1 --! flow.conn has no field or method clinet (did you mean client?)
  local t = { vlan = 1 }
  t.vlan = 2
end }
flow.cut = nil --! flow is read-only
flow.pkt_in.snd = nil --! hook point is read-only
`},
		{"this", `
rule "a" { on = flow.rexmit.rcv, run = function() log.info(this.kind, this.side, this.rule) log.info(this.kidn) end } --! this at flow.rexmit has no field kidn (did you mean kind?)
rule "b" { on = { flow.conn_end, flow.rexmit }, run = function(c) log.info(this.kind, this.reason, c.id) end }
timer "t" { every = "1s", run = function() log.info(this.count, this.side) end } --! this at timer has no field side
`},
		{"user events", `
event "get" { on = flow.new_data, when = function(c, d) return d.offset == 0 and d:start "GET" end } --! flow.data has no field or method start (did you mean starts?)
rule "a" { on = event.get, run = function(c, d) log.info(d:peeek(3)) end } --! flow.data has no field or method peeek
rule "b" { on = event.of_another_script, run = function(c, d) log.info(d.whatever) end }
`},
		{"effects in filters", `
rule "a" { on = flow.conn_start, when = function(c)
  c:tag "x" --! tag changes something: a filter only looks (do it in run)
  log.info "x" --! info changes something: a filter only looks
  local function inner() alert "x" end --! alert changes something
  return c:tagged "x"
end, run = function(c) c:tag "x" log.info "x" end }
event "e" { on = flow.conn_start, when = function(c) return c:untag "x" end } --! untag changes something
`},
		{"verdicts", `
rule "a" { on = flow.conn_start, run = function(c)
  if c.vlan == 1 then return flow.drop end --! flow.drop cannot be decided at flow.conn_start
  local function inner() return flow.drop end
  if inner() then return flow.cut end
  return nil
end }
rule "b" { on = { flow.conn_start, flow.pkt_in }, run = function() return flow.drop end }
rule "c" { on = hookd.start, run = function() return flow.cut end } --! flow.cut cannot be decided at hookd.start
timer "t" { every = "1s", run = function() return flow.cut end } --! flow.cut cannot be decided at timer
`},
		{"stores", `
local bad, n = store "bad" { kind = "set", key = "ip" }, store "n" { kind = "counter" }
local other = store "bad" { kind = "sett" }
local moved = store "m" { kind = "map" }
moved = bad
rule "a" { on = flow.conn_start, run = function(c)
  bad:add(c.client.ip) n:incr(c.client.ip) moved:add(1) other:whatever()
  bad:set(c.client.ip) --! store bad, a set, has no method set (there is
  if n:gett(1) then --! store n, a counter, has no method gett (did you mean get?)
    n:add(2) --! store n, a counter, has no method add
  end
  local bad = {} bad:set(1)
end }
`},
		{"objects as keys", `
local bad, at = store "bad" { kind = "set", key = "ip" }, store "at" { kind = "map", key = "endpoint" }
local n, cidr = store "n" { kind = "counter" }, store "c" { kind = "set", key = "cidr" }
rule "a" { on = flow.conn_start, run = function(c)
  bad:add(c.client) --! a key is text, a number, true or false, not a flow.peer (did you mean its ip?)
  local s = c.server
  at:put(s, c.client.ip) --! a key is text, a number, true or false, not a flow.peer (did you mean its endpoint?)
  if cidr:has(c) then return flow.cut end --! a key is text, a number, true or false, not a flow.conn (did you mean its client.ip or server.ip?)
  n:incr(c.client) --! a key is text, a number, true or false, not a flow.peer
  n:incr(c.client.ip) bad:add(s.ip, "10s") bad:size(c) c:tag(c.client)
end }
`},
		{"bindings", `
rule "a" { on = flow.conn_start, run = function(c)
  c:on(flow.new_data, function(c, d) d:peeek(3) end) --! flow.data has no field or method peeek
  c:on(flow.gap, function(c) log.info(this.offset, this.len) return flow.reset end)
  c:on(event.of_others, function(c, x) x.whatever() log.info(this.whatever) return flow.drop end)
  c:every("1s", function(it)
    it:tagg "x" --! flow.conn has no field or method tagg (did you mean tag
    return flow.cut --! flow.cut cannot be decided at timer
  end)
end }
rule "f" { on = flow.conn_start, when = function(c) return c:on(flow.gap, "x") end } --! on changes something
`},
		{"comparisons", `
rule "a" { on = flow.new_data, when = function(c, d)
  return d.from == "clent" --! from is never "clent": it is one of none, client, server (did you mean client?)
    or d.len == "3" --! len is a number: it is never "3"
    or c.client.port == 80 or d.from == "client" or c.proto ~= "tcp"
    or 80 == c.client.ip --! ip is a string: it is never 80
end, run = function() end }
`},
	}
	cat := catalogue.New(catalogue.All()...)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			chunk, diags := source.Parse("t.lua", []byte(tt.src))
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			var got []string
			for _, d := range analyse.Check(chunk, cat, library) {
				msg := d.Msg
				if d.Hint != "" {
					msg += " (" + d.Hint + ")"
				}
				if d.Col == 0 {
					t.Errorf("line %d: %s: no column", d.Line, d.Msg)
				}
				got = append(got, fmt.Sprintf("%d: %s", d.Line, msg))
			}
			if diff := cmp.Diff(expected(tt.src), got, cmp.Comparer(func(want, got string) bool {
				return strings.HasPrefix(want, got) || strings.HasPrefix(got, want)
			})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// expected reads the diagnostics that a source's comments announce.
func expected(src string) []string {
	var want []string
	for i, line := range strings.Split(src, "\n") {
		if _, text, ok := strings.Cut(line, "--! "); ok {
			want = append(want, fmt.Sprintf("%d: %s", i+1, text))
		}
	}
	return want
}

// TestNeverInPath warns of a script that waits for ACKs which go past it.
func TestNeverInPath(t *testing.T) {
	t.Parallel()
	const ack = `rule "a" { on = sip.e2eack_in, run = function(tx) log.info("ack", { tx = tx }) end } `
	for text, warned := range map[string]bool{
		ack + `rule "r" { on = sip.request_in, verdict = sip.relay { to = "sip:x@y" } }`:                                        true,
		ack + `rule "r" { on = sip.request_in, run = function() return sip.relay { to = "sip:x@y", record_route = true } end }`: false,
		ack + `rule "r" { on = sip.request_in, run = function(tx) tx:record_route() return sip.relay { to = "sip:x@y" } end }`:  false,
		ack: false,
		`rule "r" { on = sip.request_in, run = function(tx) tx:on(sip.e2eack_in, function() end) return sip.relay {} end }`: true,
		`rule "r" { on = sip.request_in, verdict = sip.relay { to = "sip:x@y" } }`:                                          false,
	} {
		chunk, diags := source.Parse("t.lua", []byte(text))
		if chunk == nil {
			t.Fatal(diags)
		}
		cat := catalogue.New(catalogue.All()...)
		diags = analyse.Check(chunk, cat, []string{"rule", "log", "sip"})
		got := len(diags) == 1 && diags[0].Severity == diag.Warning && diags[0].Line == 1 && strings.Contains(diags[0].Msg, "ACK")
		if got != warned || len(diags) > 1 {
			t.Errorf("%s: %v", text, diags)
		}
	}
}

// TestUntestedRequest warns of handlers that read what a transaction of the server's own
// has not.
func TestUntestedRequest(t *testing.T) {
	t.Parallel()
	for text, warned := range map[string]bool{
		`rule "r" { on = sip.local_completed, run = function(tx) log.info("x", { m = tx.request.method }) end }`:                       true,
		`rule "r" { on = sip.destroy, run = function(tx) log.info(tx.request:header "Subject") end }`:                                  true,
		`rule "r" { on = sip.destroy, run = function(tx) if tx.request then log.info(tx.request.method) end end }`:                     false,
		`rule "r" { on = sip.destroy, run = function(tx) if tx.is_local then return end log.info(tx.request.method) end }`:             false,
		`rule "r" { on = sip.destroy, run = function(tx) local m = tx.request if m then log.info(m.method) end end }`:                  false,
		`rule "r" { on = sip.response_out, run = function(tx) log.info(tx.request.method) end }`:                                       false,
		`rule "r" { on = { sip.response_out, sip.request_sent }, run = function(tx) log.info("x", { u = tx.request.ruri.user }) end }`: true,
	} {
		chunk, diags := source.Parse("t.lua", []byte(text))
		if chunk == nil {
			t.Fatal(diags)
		}
		cat := catalogue.New(catalogue.All()...)
		diags = analyse.Check(chunk, cat, []string{"rule", "log", "sip"})
		got := len(diags) == 1 && diags[0].Severity == diag.Warning && strings.Contains(diags[0].Msg, "tx.request is nil")
		if got != warned || len(diags) > 1 {
			t.Errorf("%s: %v", text, diags)
		}
	}
}

// TestUnconsumed warns of a listener whose bytes nobody takes, and of no other script.
func TestUnconsumed(t *testing.T) {
	t.Parallel()
	const listen = `loop.listen "a" { url = "tcp://127.0.0.1:7000" } `
	for text, warned := range map[string]bool{
		listen + `rule "r" { on = loop.recv, run = function(c) log.info(c:peek(3)) end }`:      true,
		listen + `rule "r" { on = loop.recv, run = function(c) c:send(c:take()) end }`:         false,
		listen + `rule "r" { on = loop.accept, run = function(c) c:send "x" end }`:             false,
		listen + `local m = "take" rule "r" { on = loop.recv, run = function(c) c[m](c) end }`: false,
		`rule "r" { on = loop.recv, run = function(c) log.info(c:peek(3)) end }`:               false,
		`rule "d" { on = hookd.start, run = function() loop.dial "tcp://127.0.0.1:7000" end }
		 rule "r" { on = loop.recv, run = function(c) log.info(c:peek(3)) end }`: true,
		`rule "d" { on = hookd.start, run = function() loop.dial("mqtt://127.0.0.1") end }
		 rule "r" { on = loop.recv, run = function(c) log.info(c:peek(3)) end }`: false,
		`rule "d" { on = hookd.start, run = function() local c = loop.dial "127.0.0.1:7000"
		   c:on(loop.recv, function(c) log.info(c:peek(3)) end) end }`: true,
		`loop.listen "a" { url = "http://:80" } rule "r" { on = loop.recv, run = function(c) c:tag "x" end }`: false,
	} {
		chunk, diags := source.Parse("t.lua", []byte(text))
		if chunk == nil {
			t.Fatal(diags)
		}
		cat := catalogue.New(catalogue.All()...)
		diags = analyse.Check(chunk, cat, []string{"rule", "log", "loop"})
		got := len(diags) == 1 && diags[0].Severity == diag.Warning && strings.Contains(diags[0].Msg, "nothing consumes")
		if got != warned || len(diags) > 1 {
			t.Errorf("%s: %v", text, diags)
		}
	}
}
