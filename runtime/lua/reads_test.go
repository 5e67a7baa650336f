package lua

import (
	"testing"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
)

// TestReads asks of scripts whether they may read what a stack keeps only for
// those who do.
func TestReads(t *testing.T) {
	fields := []string{"flow.peer.sent", "flow.rexmit.old", "flow.rexmit.differ"}
	for _, tt := range []struct {
		what, src string
		want      bool
	}{
		{"nothing", ``, false},
		{"other fields", `rule "a" { on = flow.rexmit, run = function(c, pkt) print(c.client.port, this.kind, pkt.seq) c:tag "sent" end }`, false},
		{"the words in other places", `-- sent old differ
			local old, sent = "differ", 1 rule "a" { on = flow.rexmit, run = function(c) log.info("sent", { conn = c, pkts = c.client.pkts }) old = sent end }`, false},
		{"a stream", `rule "a" { on = flow.conn_end, run = function(c) print(c.client.sent:len()) end }`, true},
		{"a stream, otherwise written", `rule "a" { on = flow.conn_end, run = function(c) print(c["client"]["sent"]) end }`, true},
		{"a stream by an alias", `rule "a" { on = flow.conn_end, run = function(c) local s = c.server local x = s x = x.sent end }`, true},
		{"a stream in a filter", `rule "a" { on = flow.conn_end, when = function(c) return c.client.sent ~= nil end, run = function() end }`, true},
		{"a stream in an event's filter", `event "a" { on = flow.new_data, when = function(c) return c.client.sent ~= nil end }`, true},
		{"a stream by a function", `local function f(p) return p.sent end rule "a" { on = flow.conn_end, run = function(c) f(c.client) end }`, true},
		{"old of another event", `rule "a" { on = flow.tcp_state_change, run = function(c) print(this.old) end }`, false},
		{"old of this one", `rule "a" { on = flow.rexmit, run = function(c) print(this.old) end }`, true},
		{"old of one of two", `rule "a" { on = { flow.tcp_state_change, flow.rexmit }, run = function(c) print(this.old) end }`, true},
		{"old in a function", `local function f() return this.old end rule "a" { on = flow.rexmit, run = function(c) f() end }`, true},
		{"anything of this", `rule "a" { on = flow.rexmit, run = function(c) local k = "old" print(this[k]) end }`, true},
		{"anything of this in a function", `local function f(k) return this[k] end rule "a" { on = flow.rexmit, run = function(c) f "old" end }`, true},
		{"anything of an end", `rule "a" { on = flow.rexmit, run = function(c) local k = "se" .. "nt" print(c.client[k]) end }`, true},
		{"anything of a connection", `rule "a" { on = flow.rexmit, run = function(c) local k = "id" print(c[k]) end }`, false},
		{"anything of anything of a connection", `rule "a" { on = flow.rexmit, run = function(c) local k = "client" local j = k print(c[k][j]) end }`, true},
		{"a match", `rule "a" { on = flow.rexmit, match = { differ = true }, run = function() end }`, true},
		{"a match made up", `rule "a" { on = flow.rexmit, match = { ["diff" .. "er"] = true }, run = function() end }`, true},
		{"another match", `rule "a" { on = flow.rexmit, match = { client = { port = 5 } }, run = function() end }`, false},
		{"a match of a name", `local m = { client = { port = 5 } } rule "a" { on = flow.rexmit, match = m, run = function() end }`, false},
		{"a match of a name, of a stream", `local m = { differ = true } rule "a" { on = flow.rexmit, match = m, run = function() end }`, true},
		{"a match that is added to", `local m = { client = { port = 5 } } m["diff" .. "er"] = true rule "a" { on = flow.rexmit, match = m, run = function() end }`, true},
		{"a match that is given away", `local m = { client = { port = 5 } } local function f(t) t["diff" .. "er"] = true end f(m) rule "a" { on = flow.rexmit, match = m, run = function() end }`, true},
		{"a match that is kept elsewhere too", `local m = { client = { port = 5 } } local all = { m } rule "a" { on = flow.rexmit, match = m, run = function() end }`, true},
		{"a match of one of two of a name", `local m = { client = { port = 5 } } do local m = { ["diff" .. "er"] = true } rule "a" { on = flow.rexmit, match = m, run = function() end } end`, true},
		{"a match of a name, made up", `local m = { ["diff" .. "er"] = true } rule "a" { on = flow.rexmit, match = m, run = function() end }`, true},
		{"a threshold", `rule "a" { on = flow.rexmit, threshold = { by = "differ", count = 2, within = "1s" }, run = function() end }`, true},
		{"another threshold", `rule "a" { on = flow.rexmit, threshold = { by = "client.ip", count = 2, within = "1s" }, run = function() end }`, false},
		{"a table of its own by any key", `local t = {} rule "a" { on = flow.rexmit, run = function(c) t[c.client.ip] = true end }`, false},
		{"an object kept, and any key", `local t = {} rule "a" { on = flow.rexmit, run = function(c) t[c.client.ip] = c end }`, true},
		{"an object by its number", `local t = {} rule "a" { on = flow.rexmit, run = function(c) t[1] = c print(t[1].id) end }`, false},
		{"an object in a log line, and any key", `local t = {} rule "a" { on = flow.rexmit, run = function(c) log.info("x", { conn = c }) t[c.cid] = 1 end }`, false},
		{"a connection looked for, and any key", `local t = {} timer "a" { every = "1s", run = function() local c = flow.find "x" t[c.cid] = 1 end }`, true},
		{"a handler from elsewhere", `local function f(c, k) return c[this.side] end rule "a" { on = flow.rexmit, run = f }`, true},
		{"a handler from elsewhere, by name", `local function f(c, k) return c.client.port end rule "a" { on = flow.rexmit, run = f }`, false},
		{"a rule in disguise", `local r = rule r "a" { on = flow.rexmit, run = function(c) local k = this.side print(c[k]) end }`, true},
		{"an argument assigned", `rule "a" { on = flow.rexmit, run = function(c) c = c.client local k = this.side print(c[k]) end }`, true},
		{"any number of arguments", `rule "a" { on = flow.rexmit, run = function(...) local k = this.side print((...)[k]) end }`, true},
		{"conditions", `local t = {} rule "a" { on = flow.rexmit, run = function(c, pkt) if pkt and not c then t[c.cid] = 1 end end }`, true},
		{"a condition", `local t = {} rule "a" { on = flow.rexmit, run = function(c, pkt) if pkt then t[c.cid] = 1 end if c == nil then return end end }`, false},
	} {
		h := newHouse(t, engine.Limits{})
		if diags := h.load(tt.src); diags.HasErrors() {
			t.Fatal(tt.what, rendered(diags))
		}
		if got := h.Reads(fields...); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.what, got, tt.want)
		}
	}
}

// TestTapsRead holds that what is printed counts as read.
func TestTapsRead(t *testing.T) {
	h := newHouse(t, engine.Limits{})
	h.Tap(flowev.OnConnEnd.ID(), func(*event.Shard, *event.Info, *event.PointInfo, any) {})
	if h.Reads("flow.rexmit.differ") || !h.Reads("flow.conn_end.reason") {
		t.Error("a tap reads the fields of its event")
	}
	h.Tap(flowev.OnRexmitSnd.ID(), func(*event.Shard, *event.Info, *event.PointInfo, any) {})
	if !h.Reads("flow.rexmit.differ") {
		t.Error("the second tap was not seen")
	}
}
