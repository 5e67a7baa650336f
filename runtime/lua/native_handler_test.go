package lua

import (
	"strings"
	"testing"

	"github.com/hookd/hookd/engine"
	"github.com/hookd/hookd/engine/diag"
	"github.com/hookd/hookd/engine/event/catalogue"
	"github.com/hookd/hookd/runtime/lua/source"
)

// handlerScript is a handler, and one behind it that prints what it left.
func handlerScript(body string) string {
	return `local a, b, n, k = nil, nil, 0, 5
rule "does" { on = flow.conn_start, priority = 1, run = function(c, pkt)
` + body + `
end }
rule "shows" { on = flow.conn_start, run = function() print(a, b, n, k) end }
timer "sets" { every = "1s", run = function() n = "7" end }
`
}

// handled loads a handler and raises two events; it returns what was printed and
// whether the handler has a native form, or why not.
func handled(t *testing.T, body string, cfg Config, check bool) (printed, form string) {
	t.Helper()
	h := newHouse(t, engine.Limits{})
	if check {
		h.Engine = engine.New(engine.Config{Catalogue: catalogue.New(catalogue.All()...), Sink: h, CheckNative: true})
		t.Cleanup(h.Close)
	}
	cfg.Catalogue, cfg.Functions, cfg.Limits = h.Catalogue(), h.Functions(), h.Limits()
	h.Use(New(cfg))
	h.started(handlerScript(body))
	h.start(newConn(1))
	h.start(newConn(2))
	for _, line := range h.Live().Explain() {
		if _, said, ok := strings.Cut(line, "run: "); ok {
			form = said
			break
		}
	}
	return h.take(), form
}

// TestHandlersRunNatively looks at what handlers leave in the variables around them,
// natively, in the machine, and both at once.
func TestHandlersRunNatively(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, body, want string }{
		{"fields", `a, b, n = c.client.ip, pkt.ttl, c.server.port`, "10.0.0.1\t64\t80\t5\n10.0.0.2\t64\t80\t5"},
		{"an address as text", `a, b = c.client.endpoint, c.proto`, "10.0.0.1:1025\ttcp\t0\t5\n10.0.0.2:1025\ttcp\t0\t5"},
		{"a counter", `n = n + 1`, "nil\tnil\t1\t5\nnil\tnil\t2\t5"},
		{"a sum", `n = n + pkt.len * k`, "nil\tnil\t300\t5\nnil\tnil\t600\t5"},
		{"a default", `a = (a or 0) + 1 b = b or "first"`, "1\tfirst\t0\t5\n2\tfirst\t0\t5"},
		{"exchanged", `a, n = n, c.id a, n = n, a`, "1\tnil\t0\t5\n2\tnil\t0\t5"},
		{"the old value", `local old = n n = n + 1 a = old b = n`, "0\t1\t1\t5\n1\t2\t2\t5"},
		{"assigned twice", `n = c.id n = n + n`, "nil\tnil\t2\t5\nnil\tnil\t4\t5"},
		{"to itself", `n = n a = k`, "5\tnil\t0\t5\n5\tnil\t0\t5"},
		{"missing values", `a, b = 1`, "1\tnil\t0\t5\n1\tnil\t0\t5"},
		{"too many values", `a = 1, c.client.ip`, "1\tnil\t0\t5\n1\tnil\t0\t5"},
		{"one way or another", `if c.id == 1 then a = "one" else a = "other" end n = n + 1`, "one\tnil\t1\t5\nother\tnil\t2\t5"},
		{"elseif", `if c.id > 5 then a = 1 elseif c.id > 1 then a = 2 else b = 3 end`, "nil\t3\t0\t5\n2\t3\t0\t5"},
		{"until a return", `n = n + 1 if c.id == 1 then return end a = n`, "nil\tnil\t1\t5\n2\tnil\t2\t5"},
		{"a local that changes", `local x = 1 do x = x + c.id end if c.id == 2 then x = "two" end a = x`, "2\tnil\t0\t5\ntwo\tnil\t0\t5"},
		{"a parameter that changes", `if pkt then pkt = 5 else pkt = 6 end a = pkt`, "5\tnil\t0\t5\n5\tnil\t0\t5"},
		{"an inner local of that name", `do local a = 3 a = a + 1 n = a end b = a`, "nil\tnil\t4\t5\nnil\tnil\t4\t5"},
		{"a comparison", `a = c.id == 2 b = not a`, "false\ttrue\t0\t5\ntrue\tfalse\t0\t5"},
		{"compared with what it holds", `if a == c.client.ip then b = "same" end a = "10.0.0.2"`, "10.0.0.2\tnil\t0\t5\n10.0.0.2\tsame\t0\t5"},
		{"the length of what it holds", `if a then n = #a end a = c.client.ip`, "10.0.0.1\tnil\t0\t5\n10.0.0.2\tnil\t8\t5"},
		{"a verdict", `n = n + 1 if n == 2 then return flow.cut end return nil`, "nil\tnil\t1\t5\ndoes: flow.cut at flow.conn_start.snd\nnil\tnil\t2\t5"},
		{"nothing", ``, "nil\tnil\t0\t5\nnil\tnil\t0\t5"},
		{"an error before anything", `n = n + 1 a = a + 1`, "error t.lua:3: attempt to perform arithmetic on upvalue 'a' (a nil value)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			printed, form := handled(t, tt.body, Config{}, false)
			if form != "native" {
				t.Errorf("native form: %s", form)
			}
			if tt.want != "" && !strings.HasPrefix(tt.want, "error") && strings.TrimSpace(printed) != tt.want {
				t.Errorf("printed\n%s\nwant\n%s", printed, tt.want)
			}
			interpreted, _ := handled(t, tt.body, Config{Interpret: true}, false)
			both, _ := handled(t, tt.body, Config{}, true)
			if interpreted != printed || both != printed {
				t.Errorf("natively\n%s\nin the machine\n%s\nboth ways\n%s", printed, interpreted, both)
			}
		})
	}
}

// TestHandlersForTheMachine looks at why handlers have no native form.
func TestHandlersForTheMachine(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ body, why string }{
		{`c:tag "x"`, "a call (line 3)"},
		{`for i = 1, 2 do n = i end`, "a loop (line 3)"},
		{`a = {}`, "it makes a table (line 3)"},
		{`a = function() end`, "it makes a function (line 3)"},
		{`a = c`, "an object is kept (line 3)"},
		{`
rest = 1`, "an assignment to the global rest (line 4)"},
		{`a.n = 1`, "an assignment to a field (line 3)"},
		{`c.data.n = 1 state.n = 1`, "a second assignment to a record (line 3)"},
		{`a = c.data`, "a record is kept (line 3)"},
		{`c.data.n = state.incr`, "the call of a function (line 3)"},
		{`a = c.data.incr`, "the method incr of a record (line 3)"},
		{`return n`, "it returns something else than the name of a verdict (line 3)"},
		{`n = this.count`, "this.count (line 3)"},
		{`a = a.x`, "a field of what a variable holds (line 3)"},
		{"local x = c.vlan" + strings.Repeat(" x = x + x", 30) + " n = x", "it is too long (line 3)"},
		{strings.Repeat("if c.vlan == n then n = n + 1 end ", 10), "it is too long (line 3)"},
	} {
		_, form := handled(t, tt.body, Config{Check: func(*source.Chunk) diag.List { return nil }}, false)
		if want := "Lua, no native form: " + tt.why; form != want && form != "Lua, behind a native guard; no native form: "+tt.why {
			t.Errorf("%s: %q, want %q", tt.body, form, want)
		}
	}
}

// TestNativeRecords looks at what handlers leave in records.
func TestNativeRecords(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ body, native, want string }{
		{`c.data.n = (c.data.n or 0) + 1`, "native", "1 nil|2 nil|1 nil"},
		{`state.n = (state.n or 0) + pkt.len`, "native", "nil 60|nil 120|nil 180"},
		{`local d = c.data d.n = c.client.ip`, "native", "10.0.0.1 nil|10.0.0.1 nil|10.0.0.2 nil"},
		{`c.data.n = 1 if c.data.n == 1 then c = nil end`, "native", "1 nil|1 nil|1 nil"},
		{`if c.data.n then c.data.n = nil else c.data.n = true end`, "native", "true nil|nil nil|true nil"},
		{`state.n = {}`, "Lua, no native form: it makes a table (line 2)", ""},
		{`state.n = kept`, "native", ""},
		{`state.n = c.data.n + 1`, "native", ""},
		{`c.data.n = long`, "native", ""},
		{`state.n = long`, "native", ""},
	} {
		src := `local kept, long = {}, ("x"):rep(100000) kept = { 1 } long = long .. "y"
rule "does" { on = flow.conn_start, priority = 1, run = function(c, pkt) ` + tt.body + ` end }
rule "shows" { on = flow.conn_start, run = function(c) print(tostring(c.data.n) .. " " .. (type(state.n) == "table" and #state.n or tostring(state.n))) end }`
		said, refused := map[string]string{}, map[string]uint64{}
		for how, cfg := range map[string]Config{"natively": {}, "in the machine": {Interpret: true}} {
			h := newHouse(t, engine.Limits{})
			cfg.Catalogue, cfg.Functions, cfg.Limits = h.Catalogue(), h.Functions(), h.Limits()
			h.Use(New(cfg))
			h.started(src)
			if how == "natively" && !strings.Contains(strings.Join(h.Live().Explain(), "\n"), "run: "+tt.native) {
				t.Errorf("%s: %s", tt.body, h.Live().Explain())
			}
			c := newConn(1)
			for _, c := range []*conn{c, c, newConn(2)} {
				h.start(c)
			}
			said[how] = strings.ReplaceAll(strings.TrimSpace(h.take()), "\n", "|")
			refused[how] = h.State("t.lua").Refused()
		}
		if is := refused["natively"]; is != refused["in the machine"] || (is == 3) != (tt.body == "state.n = long") {
			t.Errorf("%s: refused %v", tt.body, refused)
		}
		if said["natively"] != said["in the machine"] || tt.want != "" && said["natively"] != tt.want {
			t.Errorf("%s: %v, want %s", tt.body, said, tt.want)
		}
	}
}

// TestNativeHandlersAllocateNothing holds handlers to what they may allocate.
func TestNativeHandlersAllocateNothing(t *testing.T) {
	for _, tt := range []struct {
		name, src string
		most      float64
	}{
		{"five small fields", nativeFive, 0},
		{"a counter", nativeCount, 0},
		{"a counter in the state", stateCount, 0},
		{"a counter of a connection", counter, 0},
		{"two long numbers", `local n, m rule "a" { on = flow.conn_start, run = function(c, pkt) n, m = pkt.seq, n end }`, 1},
	} {
		h, emit, done := emitting(t, tt.src)
		if n := testing.AllocsPerRun(1000, emit); n > tt.most {
			t.Errorf("%s: %v allocations, want at most %v", tt.name, n, tt.most)
		}
		if said := strings.Join(h.Live().Explain(), "\n"); !strings.Contains(said, "run: native") {
			t.Errorf("%s: %s", tt.name, said)
		}
		done()
	}
}
