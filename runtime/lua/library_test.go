package lua

import (
	"strings"
	"testing"

	"github.com/hookd/hookd/engine"
)

// TestLibraryNames checks that what the tables of functions lack is told while
// loading and, where only running shows it, while running.
func TestLibraryNames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ src, want string }{
		{`local x = json.encod {}`, "t.lua:1:16: error: json has no function encod"},
		{`local x = os.getenv "HOME"`, "t.lua:1:14: error: os has no function getenv"},
		{`local x = jsn.encode {}`, "did you mean json?"},
		{`local name = "encod" local x = json[name]`, "did you mean encode?"},
		{`local x = _G["jso" .. "nn"]`, "did you mean json?"},
		{`json.encode = nil`, "json is read-only"},
		{`local x = struct.pack("q", 1)`, "bad argument #1 to 'struct.pack' (invalid format option 'q')"},
		{`local x = json.decode(("["):rep(200000))`, ""},
		{`for i = 1, 1e9 do hash.sha512(("x"):rep(1e6)) end`, "the top level"},
	} {
		h := newHouse(t, engine.Limits{})
		got := rendered(h.load(tt.src))
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s:\n got %s\nwant %s", tt.src, got, tt.want)
		}
	}
}

// TestLibraryRuns uses the tables from handlers: with records and connections,
// at event time, and in each machine anew.
func TestLibraryRuns(t *testing.T) {
	t.Parallel()
	h := up(t, `
state { seen = { "a", "b" }, n = 1 }
rule "a" { on = flow.conn_start, run = function(c)
  print(json.encode(state), json.encode { c = c.client.ip })
  print(json.encode { c })
  print(os.time(), os.date "!%H:%M:%S", os.clock())
  print(type(_G.bit), bit.band(c.id, 1), rawget(_G, "utf8"))
  state.back = json.decode(json.encode(state))
  print(#state.back.seen, json.null, json.encode { json.null })
  state.null = json.null
end }`)
	h.start(newConn(17))
	want := `{"seen":["a","b"],"n":1}	{"c":"10.0.0.17"}
nil	json: at [1]: connection 17 has no form in JSON; write the fields you need
1000	00:16:40	1000
userdata	1	nil
2	null	[null]
error t.lua:10: state holds plain data, not json.null
`
	if got := h.take(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestLibrariesTakeNoMemoryUnread checks that a machine has none of the tables
// before its script reads one.
func TestLibrariesTakeNoMemoryUnread(t *testing.T) {
	t.Parallel()
	h := up(t, `rule "a" { on = flow.conn_start, run = function(c)
  local n = 0
  for name in pairs(_G) do if name == "json" or name == "struct" then n = n + 1 end end
  print(n)
  local x = json
  for name in pairs(_G) do if name == "json" or name == "struct" then n = n + 1 end end
  print(n)
end }`)
	h.start(newConn(17))
	if got := h.take(); got != "0\n1\n" {
		t.Errorf("got %q", got)
	}
}
