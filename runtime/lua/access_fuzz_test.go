package lua

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/engine/event/flowev"
)

// handlers are written to do what rewriting could get wrong.
const handlers = `
local kept, seen, log_n, other = {}, 0, 0, nil
local hits = store "hits" { kind = "counter", key = "ip", ttl = "1h" }
local function helper(x) return x.id, x.vlan end
local function port(p, q) if p.port == q then return "same" end return p.port, q, p.isn end
local function keep(x) kept.x = x return x.id end
local function method(x, y) return x:tagged "a", y:has "syn", this.side end
local function assigns_it(x) x = { id = "mine" } return x.id end
local function alias_in(x, y) local p = x.client local q = x return p.port, q.vlan, p == q.client, y end
local function later(x) return function() return x.vlan end end
local function loops(x) while true do if x.vlan >= 0 then return x.vlan end end end
local function self(x, n) if n == 0 then return x.id end return self(x, n - 1) end
local function nested(x) return helper(x) end
local function raises(x)
  print(x.id) print(x.client.isn)
  error("no " .. x.vlan)
end
local function data(x, k) x.data.n = (x.data.n or 0) + k return x.data.n end
local function shadow(x) local x = { id = 7 } return x.id end
local function hidden(x) return x.id end
local function most(...) return select("#", ...) end
state { n = 0, list = {} }
rule "reads" { on = flow.pkt_in, run = function(c, pkt) print(c.id, c.vlan, pkt.len, pkt.ttl, c.client.port, c.duration, this.side) end }
rule "ended" { on = flow.conn_end, run = function(c)
  seen = seen + 1
  print(c.id,
    c.client.isn)
  print(c.duration)
end }
rule "after an effect" { on = flow.new_data, run = function(c, d) c:tag "x" print(d.len, d:peek(3), d:u8(0), d:u16(99), d.from, c.client.window) end }
rule "on one path" { on = flow.tcp_state_change, run = function(c, pkt)
  if this.new == "established" then print(pkt.len) elseif pkt then print(pkt.seq, pkt:has "syn") else print(c.server.mss) end
end }
rule "nil packet" { on = flow.tcp_state_change.rcv, run = function(c, pkt)
  print(this.old)
  print(pkt.ttl)
end }
rule "nil connection" { on = flow.orphan, run = function(c, pkt) print(pkt.src, pkt.dst) print(c.id) end }
rule "method of nil" { on = flow.tcp_state_change, run = function(c, pkt) print(1)
  print(pkt:has "fin") end }
rule "keeps" { on = flow.pkt_in, run = function(c, pkt)
  if kept.c then print(kept.c == c, pcall(function() return kept.c.duration end)) end
  if kept.pkt then print(pcall(function() return kept.pkt.len end)) end
  kept.c, kept.pkt = c, pkt
  print(tostring(c), pkt.len)
end }
rule "keeps data" { on = flow.new_data, run = function(c, d)
  local alias = d
  if other then print(pcall(function() return other.len end)) end
  other = function() return alias.len end
  print(d.len, pcall(other))
end }
rule "late" { on = flow.new_data, run = function(c, d)
  if log_n then print(pcall(log_n)) end
  log_n = function() return c.vlan + d.len end
end }
rule "records" { on = flow.pkt_in, run = function(c, pkt)
  c.data.n = (c.data.n or 0) + 1
  c.data.text = c.data.text or {}
  c.data.text[pkt.ttl] = c.data.n
  c.data.incr = c.data.incr
  c.data.f = pkt.len, 5
  state.n = state.n + pkt.len
  state.list[c.vlan] = true
  state.last, state.more = c.id, pkt.ttl
  print(c.data.n, #c.data.text, state.n, #state.list, state.last, state.more, c.data.incr == nil, state.nothing)
  state:incr("hits")
  c.data:incr "m"
  print(state.hits, c.data.m)
end }
rule "bad record" { on = flow.pkt_in, run = function(c, pkt)
  state.x = pkt
end }
rule "bad data" { on = flow.pkt_in, run = function(c, pkt) c.data.x =
  function() end end }
rule "calls" { on = flow.pkt_in, run = function(c, pkt) print(helper(c)) print(select("#", c.tags, pkt.payload), #c.tags) end }
rule "shadows" { on = flow.pkt_in, run = function(c, pkt) do local pkt = { len = "mine" } print(pkt.len) end local c = { id = 5 } print(c.id, pkt.len) end }
rule "assigns" { on = flow.pkt_in, run = function(first, second) print(first.vlan) first = { vlan = "new" } print(first.vlan, second.len) end }
rule "writes" { on = flow.pkt_in, run = function(c, pkt) print(pkt.len)
  pkt.len = 5 end }
rule "unknown" { on = flow.pkt_in, run = function(c, pkt) print(c.vlan)
  print(c["nothing" .. "else"]) end }
rule "loops" { on = flow.pkt_in, run = function(c, pkt) for i = 1, 3 do seen = seen + pkt.ttl end repeat local x = c.vlan until x == c.vlan while false do print(pkt.seq) end print(seen) end }
rule "several" { on = { flow.pkt_in, flow.conn_start }, run = function(c, pkt) print(c.id, pkt.ack, this.side, this.event, this.rule) end }
rule "differ" { on = { flow.pkt_in, flow.new_data }, run = function(c, x) print(c.vlan, x.len) end }
rule "stores" { on = flow.conn_start, run = function(c) print(hits:incr(c.client.ip), hits:get(c.client.ip), hits:size()) end }
rule "tags" { on = flow.conn_start, run = function(c) print(c:tagged "lossy", c:tag("a"), #c.tags) print(c.tag(5)) end }
rule "wrong argument" { on = flow.new_data, run = function(c, d) print(d.offset)
  print(d:u8(-1)) end }
rule "verdicts" { on = flow.pkt_in, run = function(c, pkt) if pkt.ttl > 50 then return flow.drop elseif pkt.vlan > 9 then return flow.reset end return pkt.len > 5 and flow.cut or nil end }
rule "no verdict" { on = flow.pkt_in, run = function(c, pkt) return pkt.len end }
rule "and or" { on = flow.pkt_in, run = function(c, pkt) local x = pkt and pkt.len or c print(type(x), not pkt, pkt == nil, c ~= c) return nil, c.id end }
rule "when" { on = flow.new_data, when = function(c, d) local x = {} x.y = d.len return x.y > 3 and tostring(c.client.ip) ~= "nil" end, run = function(c, d) print("when", d.len) end }
event "big" { on = flow.new_data, when = function(c, d) local s = d:peek(4) return s == "GET " end }
rule "on big" { on = event.big, run = function(c, d) print("big", d.len, c.proto) end }
rule "varargs" { on = flow.pkt_in, run = function(c, ...) print(c.vlan, select("#", ...)) end }
rule "few" { on = flow.pkt_in, run = function() print(this.side) end }
rule "many" { on = flow.pkt_in, run = function(c, pkt, more) print(c.vlan, more) end }
rule "twice" { on = flow.pkt_in, run = function(c, c) print(c.len) end }
rule "guards" { on = flow.pkt_in, run = function(c, pkt) if pkt.ttl < 3 then return end if not c.client.ip then return end print("past", pkt.ttl, c.client.endpoint) end }
rule "defines" { on = flow.pkt_in, run = function(c, pkt) local t = {} function t.f() return pkt.len end function state.g() end print(t.f()) end }
rule "concat" { on = flow.pkt_in, run = function(c, pkt) print("x" .. pkt.len .. c.vlan .. tostring(c.proto)) end }
rule "helpers" { on = flow.pkt_in, run = function(c, pkt) print(helper(c)) print(port(c.client, pkt.ttl)) print(method(c, pkt)) print(assigns_it(c)) print(alias_in(c)) print(alias_in(c, pkt.len)) print(shadow(c), most(c, pkt)) end }
rule "helpers that keep" { on = flow.pkt_in, run = function(c, pkt) if kept.x then print(kept.x == c, pcall(function() return kept.x.duration end)) end print(keep(c), later(c)()) end }
rule "helpers of helpers" { on = flow.pkt_in, run = function(c, pkt) print(nested(c), self(c, 3), loops(c), data(c, pkt.len), data(c, 1)) end }
rule "helpers that raise" { on = flow.pkt_in, run = function(c, pkt) print(pkt.len)
  raises(c) end }
rule "helpers of nil" { on = { flow.orphan, flow.pkt_in }, run = function(c, pkt)
  print(pcall(helper, c))
  print(port(c.client, 1))
end }
rule "helpers, wrong" { on = flow.pkt_in, run = function(c, pkt) print(helper()) end }
rule "helpers, many" { on = flow.pkt_in, run = function(c, pkt) print(helper(c, pkt, 5), port(c.client), (port(c.server, c.vlan))) print(helper(c, print("evaluated"))) end }
rule "helpers, none" { on = flow.pkt_in, run = function(c, pkt) local hidden = function(x) return x.vlan end print(hidden(c)) end }
rule "aliases" { on = flow.pkt_in, run = function(c, pkt)
  local c2, p, cl = c, pkt, c.client
  print(c2.id, p.len, cl.port, cl.window, c2 == c, cl == c.client)
  do local sv = c2.server print(sv.port, sv.bytes) end
  local again = cl
  print(again.port, sv)
end }
rule "aliases kept" { on = flow.pkt_in, run = function(c, pkt)
  local cl, p = c.client, pkt
  if kept.cl then print(kept.cl == cl, pcall(function() return kept.cl.window end)) end
  if kept.p then print(pcall(function() return kept.p.len end)) end
  kept.cl, kept.p = cl, p
  print(cl.state, p.ttl)
end }
rule "aliases of nil" { on = { flow.orphan, flow.tcp_state_change }, run = function(c, pkt)
  local p = pkt
  local cl = c.client
  print(cl.port)
  print(p.len)
end }
rule "aliases before" { on = flow.pkt_in, run = function(c, pkt)
  if pkt.ttl > 20 then local y = c print(y.vlan) else local z = pkt print(z.len, z:has "ack") end
  print(pcall(function() return cl0.port end))
  for i = 1, 2 do
    if i == 2 then print(rawequal(cl1, nil)) end
    local cl1 = c.client
    repeat local x = c.server until x.port == cl1.port or true
  end
end }
rule "aliases of calls" { on = flow.conn_end, run = function(c)
  local cl, n, one = c.client, tostring(c.id), port(c.client, 1)
  local s = cl.sent
  print(n, one, s and s.from, cl.isn)
end }
rule "alias again" { on = flow.pkt_in, run = function(c, pkt) local a = c a = pkt print(a.len) local b = c local b = pkt print(b.len) end }
rule "alias in filter" { on = flow.new_data, when = function(c, d) local x, y = c.client, d local z = {} z.n = y.len return z.n > x.pkts end, run = function(c, d) print("in", d.len) end }
rule "alias in inner" { on = flow.new_data, run = function(c, d) local e, cl = d, c.client local f = function() return e.len, cl.port end print(f()) log_n = f end }
rule "sums" { on = flow.pkt_in, run = function(c, pkt)
  print(c.id + c.vlan * 2, -pkt.ttl, pkt.len / c.vlan, pkt.len % (c.vlan - 3), 2 ^ c.vlan - c.client.port)
  print(c.duration * 1000, -(c.vlan - c.vlan), 0x10 + pkt.len, 1e3 * pkt.ttl, (c.id + 1) * (pkt.len - c.server.port), 1 / (c.vlan - c.vlan))
  local n = (pkt.seq - pkt.ack) / 2
  local m, k = n, c.id + c.vlan * 2
  kept.sum = function() return n + k, m end
  print(n * 2, m, k, kept.sum())
  if pkt.ttl > 20 then print(pkt.len + pkt.ttl) else print(pkt.len + pkt.ttl, pkt.len - "1") end
  print(helper(c) + pkt.len, pkt.len + 1 > 20 and pkt.len + 1)
end }
rule "sums of nil" { on = { flow.orphan, flow.tcp_state_change }, run = function(c, pkt)
  print(1)
  print(pkt.ttl + 1)
  print(c.vlan +
    c.client.port)
end }
rule "sums, ended" { on = flow.conn_end, run = function(c) print(c.id + 1)
  print(c.duration + c.id, c.client.isn + 1) end }
rule "locals" { on = flow.pkt_in, run = function(c, pkt)
  print(late_ip)
  local late_ip, len, other, id = c.client.ip, pkt.len, 5, c.id
  local f = function(x) local y = late_ip return late_ip, len, x, y end
  print(late_ip, len, other, f(id))
  if len > 10 then local len2 = len print(len2) end
  local again = id print(again, id, late_ip and late_ip:len(), (late_ip or ""):sub(1, 2))
  local two, three = pkt.ttl print(two, three)
  for id = 1, 2 do print(id) end
  local ttl = pkt.ttl ttl = ttl + 1 print(ttl, pkt.ttl)
  kept.f = f
end }
rule "text of nil" { on = flow.pkt_in, run = function(c, pkt)
  print("x" ..
    c.client.ip) end }
`

// scripts returns every example of the house with its name.
func scripts(t testing.TB) map[string]string {
	all := map[string]string{"handlers": handlers}
	for _, f := range catalogue.All() {
		for _, e := range f.Events {
			all["event "+e.Name] = e.Example
		}
		for _, fn := range f.Functions {
			all["function "+fn.Name] = fn.Example
		}
		for _, o := range f.Objects {
			for i := range o.Methods {
				all["method "+o.Name+":"+o.Methods[i].Name] = o.Methods[i].Example
			}
		}
	}
	files, _ := filepath.Glob("../../examples/*/main.lua")
	guides, _ := filepath.Glob("../../spec/guide/rules.md")
	if len(files) == 0 || len(guides) == 0 {
		t.Fatal("no examples, or no guide")
	}
	for _, file := range files {
		if text := read(t, file); !strings.Contains(text, `file = "`) { // no files here
			all[file] = text
		}
	}
	block := regexp.MustCompile("(?s)```lua\n(.*?)```")
	for _, file := range guides {
		for i, m := range block.FindAllStringSubmatch(read(t, file), -1) {
			all[fmt.Sprint(file, " ", i)] = m[1]
		}
	}
	return all
}

func read(t testing.TB, file string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// flowEvent makes an event for any hook point of flow, with a value in every
// field.
func flowEvent(t testing.TB, r *rand.Rand, c *anyConn, info *event.Info) any {
	e := info.New()
	for i := range info.Fields {
		f := &info.Fields[i]
		var v any
		switch f.Type.Kind {
		case event.ObjectRef:
			v = map[string]any{"flow.conn": c, "flow.packet": newAnyPacket(r), "flow.data": newAnyData(r)}[f.Type.Object]
			if f.Optional && (f.Type.Object == "flow.conn" || r.IntN(6) == 0) {
				continue
			}
		case event.Enum:
			v = pick(r, f.Type.Names...)
		case event.Uint, event.Int:
			v = float64(r.IntN(200))
		case event.Bool:
			v = r.IntN(2) == 0
		default:
			continue
		}
		if err := f.Set(e, v); err != nil {
			t.Fatalf("%s.%s: %v", info.Name, f.Name, err)
		}
	}
	return e
}

// observe runs a script over random events and returns all that can be seen of
// it.
func observe(t testing.TB, src string, seed uint64, interpret bool) string {
	h := newHouse(t, engine.Limits{Errors: 100_000})
	rt := unchecked(h)
	rt.cfg.Interpret = interpret
	h.Use(rt)
	if diags := h.load(src); diags.HasErrors() {
		return "refused: " + rendered(diags)
	}
	h.Start(1000e9)
	r := rand.New(rand.NewPCG(seed, 2))
	var conns []*anyConn
	var out strings.Builder
	for range 4 {
		conns = append(conns, newAnyConn(r))
	}
	for n := range 60 {
		c := pick(r, conns...)
		c.ended = r.IntN(8) == 0
		c.a.ended = r.IntN(8) == 0
		info := pick(r, flowev.Family.Events...)
		if r.IntN(3) == 0 {
			info = flowev.Family.Events[0] // most handlers are on it
		}
		where := info.Points[r.IntN(len(info.Points))]
		e := flowEvent(t, r, c, info)
		h.in(func(s *event.Shard) {
			v := h.Emit(s, where.ID, e)
			s.Advance(s.Now() + 1e8)
			fmt.Fprintf(&out, "%d %s: %d\n%s", n, where.Name, v.Kind, h.take())
		})
	}
	for _, st := range h.Rules() {
		fmt.Fprintf(&out, "%s: %d seen, %d matched, %d decided, %d errors\n", st.Name, st.Seen, st.Matched, st.Decided, st.Errors)
	}
	return out.String()
}

// agree compares a script as written with what it was rewritten to.
func agree(t *testing.T, name, src string, seed uint64) (lines int) {
	t.Helper()
	want, got := observe(t, src, seed, true), observe(t, src, seed, false)
	if strings.Contains(want, "(overrun)") && strings.Contains(got, "(overrun)") {
		return strings.Count(want, "\n") // the two forms take different numbers of instructions
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s, seed %d (-as written +rewritten):\n%s", name, seed, diff)
	}
	return strings.Count(want, "\n")
}

// TestHandlersAgree runs every example of the house, as written and rewritten.
func TestHandlersAgree(t *testing.T) {
	for name, src := range scripts(t) {
		for seed := range uint64(4) {
			if n := agree(t, name, src, seed); n < 60 {
				t.Errorf("%s: %d lines: it was not run", name, n)
			}
		}
	}
}

// FuzzHandlers is [TestHandlersAgree] for scripts and events of any kind.
func FuzzHandlers(f *testing.F) {
	for _, src := range scripts(f) {
		f.Add(src, uint64(100))
	}
	f.Fuzz(func(t *testing.T, src string, seed uint64) {
		agree(t, "fuzz", src, seed)
	})
}
