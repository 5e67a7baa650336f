package lua

import (
	"testing"

	glua "github.com/yuin/gopher-lua"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
)

// emitter raises flow.conn_start on an engine with one script.
func emitter(tb testing.TB, src string) (emit func(), done func()) {
	_, emit, done = emitting(tb, src)
	return emit, done
}

func emitting(tb testing.TB, src string) (h *house, emit func(), done func()) {
	h = newHouse(tb, engine.Limits{})
	if diags := h.load(src); len(diags) > 0 {
		tb.Fatal(rendered(diags))
	}
	h.Start(1000e9)
	s := h.Shard(0)
	s.Enter()
	e := &flowev.ConnStart{C: newConn(17), Pkt: &packet{len: 60}, Side: flowev.SideClient}
	return h, func() {
		if flowev.OnConnStartSnd.Wanted(s) {
			flowev.OnConnStartSnd.Emit(s, e)
		}
	}, s.Leave
}

// protectedCall is what everything is compared with: gopher-lua's own protected
// call of an empty function with one argument.
func protectedCall(tb testing.TB) func() {
	L := glua.NewState()
	tb.Cleanup(L.Close)
	if err := L.DoString(`function f(c) end`); err != nil {
		tb.Fatal(err)
	}
	fn := L.GetGlobal("f")
	return func() {
		L.Push(fn)
		L.Push(glua.LTrue)
		if err := L.PCall(1, 0, nil); err != nil {
			tb.Fatal(err)
		}
	}
}

const (
	unsubscribed = `rule "other" { on = flow.rexmit, run = function() end }`
	nativeMiss   = `rule "native" { on = flow.conn_start, match = { server = { port = 443 } }, verdict = flow.cut }`
	nativeTwo    = `rule "native" { on = flow.conn_start, match = { vlan = 0, server = { port = 443 } }, verdict = flow.cut }`
	// The order of texts, which they ask for, keeps these from having a native form.
	emptyHandler = `local w = "" rule "empty" { on = flow.conn_start, run = function(c, pkt) if w > "x" then w = "" end end }`
	fiveFields   = `local n, w = 0, "" rule "five" { on = flow.conn_start, run = function(c, pkt)
		n = c.id + c.vlan + pkt.len + pkt.ttl + c.client.port
		if w > "x" then w = "" end
	end }`
	fiveLocals = `local n, w = 0, "" rule "five" { on = flow.conn_start, run = function(c, pkt)
		local ip, port, len, vlan, ttl = c.client.ip, c.server.port, pkt.len, c.vlan, pkt.ttl
		n = ip
		if w > "x" then w = "" end
	end }`
	nativeFive = `local ip, port, len, vlan, ttl rule "five" { on = flow.conn_start, run = function(c, pkt)
		ip, port, len, vlan, ttl = c.client.ip, c.server.port, pkt.len, c.vlan, pkt.ttl
	end }`
	nativeCount = `local n = 0 rule "count" { on = flow.conn_start, run = function(c, pkt)
		if pkt.len > 50 then n = (n + 1) % 10000 end
	end }`
	filterMiss   = `rule "filter" { on = flow.conn_start, when = function(c, pkt) return pkt.len > 1000 end, run = function() end }`
	guarded      = `rule "guard" { on = flow.conn_start, run = function(c, pkt) if pkt.len < 1000 or c.server.port ~= 443 then return end c:tag "x" end }`
	stateMachine = `state { n = 0 } local w = "" rule "count" { on = flow.conn_start, run = function(c) state.n = state.n + 1 if w > "x" then w = "" end end }`
	stateCount   = `state { n = 0 } rule "count" { on = flow.conn_start, run = function(c) state.n = state.n + 1 end }`
	// A header that is looked for in a request, and found near its end.
	patternSearch = `local n local text = ("GET /index.html HTTP/1.1\r\n" .. ("X-Header: some value, and more\r\n"):rep(12)):sub(1, 380) .. "User-Agent: scan/1.0"
		rule "find" { on = flow.conn_start, run = function(c) n = text:find "%a+%-Agent:%s+%a+/%d" end }`
	counter = `rule "count" { on = flow.conn_start, run = function(c) c.data.n = (c.data.n or 0) + 1 end }`
)

func BenchmarkEmit(b *testing.B) {
	b.Run("protected call", func(b *testing.B) {
		call := protectedCall(b)
		b.ReportAllocs()
		for b.Loop() {
			call()
		}
	})
	for _, bb := range []struct{ name, src string }{
		{"unsubscribed", unsubscribed},
		{"native match", nativeMiss},
		{"native match of two", nativeTwo},
		{"empty handler", emptyHandler},
		{"five fields", fiveFields},
		{"five fields natively", nativeFive},
		{"a count natively", nativeCount},
		{"filter", filterMiss},
		{"guard", guarded},
		{"state natively", stateCount},
		{"counter natively", counter},
		{"state", stateMachine},
	} {
		b.Run(bb.name, func(b *testing.B) {
			emit, done := emitter(b, bb.src)
			defer done()
			b.ReportAllocs()
			for b.Loop() {
				emit()
			}
		})
	}
}

func BenchmarkStage(b *testing.B) {
	h := newHouse(b, engine.Limits{})
	rt := New(Config{Catalogue: h.Catalogue(), Functions: h.Functions(), Limits: h.Limits()})
	p, diags := rt.Compile(engine.Source{Path: "t.lua", Text: []byte(nativeMiss)})
	if p == nil {
		b.Fatal(diags)
	}
	b.ReportAllocs()
	for b.Loop() {
		in, _, diags := p.Stage(&engine.Env{Shard: event.NewShard(0)})
		if diags.HasErrors() {
			b.Fatal(diags)
		}
		in.Close()
	}
}
