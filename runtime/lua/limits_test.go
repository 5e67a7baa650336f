package lua

import (
	"strings"
	"testing"

	"github.com/hookd/hookd/engine"
)

// TestLimitsOfMachines checks that limits which are set reach the machines.
func TestLimitsOfMachines(t *testing.T) {
	t.Parallel()
	h := newHouse(t, engine.Limits{StringBytes: 1000, CallDepth: 40, CallValues: 500, Coroutines: 3, StoreEntries: 2})
	if diags := h.load(`local s = store "s" { kind = "set", key = "number" }
rule "a" { on = flow.conn_start, run = function()
  local function f() return 1 + f() end
  print(pcall(("x").rep, "x", 2000))
  print(pcall(f))
  print((select(2, pcall(function(...) return unpack({ ... }, 1, 600) end)):find "stack overflow"))
  local t = {}
  for i = 1, 4 do t[i] = function() t[i] = coroutine.create(function() end) end end
  for i = 1, 4 do print(pcall(t[i])) end
  for i = 1, 3 do s:add(i) end
  print(s:size())
end }`); diags.HasErrors() {
		t.Fatal(rendered(diags))
	}
	h.Start(1000e9)
	h.take()
	h.start(newConn(1))
	got := h.take()
	for _, want := range []string{
		"exceeds the limit of 1000", "calls nest at most 40 deep",
		"too many coroutines: 3 are not finished", "\n10\n", "not finished\n2",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
}

// TestLimitsHaveBounds checks that what would take the process down is refused.
func TestLimitsHaveBounds(t *testing.T) {
	t.Parallel()
	var l engine.Limits
	for name, value := range map[string]any{"call_depth": 1e6, "string_bytes": "1GiB", "coroutines": 1e8, "call_values": 1e8, "load_time": 0.0, "store_entries": 1e9} {
		if err := l.Set(name, value); err == nil {
			t.Errorf("%s = %v is taken", name, value)
		}
	}
	if err := l.Set("string_bytes", "64KiB"); err != nil || l.StringBytes != 64<<10 {
		t.Errorf("string_bytes: %v, %d", err, l.StringBytes)
	}
}
