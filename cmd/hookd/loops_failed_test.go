package main

import (
	"strings"
	"testing"
)

// TestFailedHandlers has loop.error tell of a connection's handlers that fail: at once,
// after a wait, by a timer, by their budget; not of its own, and nothing behind close.
func TestFailedHandlers(t *testing.T) {
	t.Parallel()
	h := newLoopHouse(t, `
loop.listen "x" { url = "tcp://127.0.0.1:0" }
rule "works" { on = loop.recv, priority = 10, run = function(c)
  c.data.line = c:take_line()
  if c.data.line == "bound" then
    c:on(loop.drain, function() end)
    c:on(loop.timer, function(c) error "bound" end)
    c:timer "1ms"
  elseif c.data.line == "timer" then
    c:after("1ms", function(c) error "timer" end)
  elseif c.data.line == "end" then
    c:close()
  end
end }
rule "fails" { on = loop.recv, match = { listener = "x" }, run = function(c)
  local line = c.data.line
  if line == "now" then error "now" end
  if line == "late" then sleep "1ms" error "late" end
  if line == "busy" then while true do end end
end }
rule "told" { on = loop.error, run = function(c)
  c:send(this.fault .. " " .. this.message:gsub("\n.*", "") .. "\n")
  error "in loop.error itself"
end }
rule "last" { on = loop.close, run = function(c) log.info "closed" error "at the end" end }
`)
	c := h.dial("x")
	for _, line := range []string{"now", "late", "bound", "timer", "busy"} {
		c.say("%s\n", line)
		got, err := c.r.ReadString('\n')
		want := line
		if line == "busy" {
			want = "instructions"
		}
		if err != nil || !strings.HasPrefix(got, "handler t.lua:") || !strings.Contains(got, want) {
			t.Errorf("%s: told %q, %v", line, got, err)
		}
	}
	c.say("end\n")
	c.ends()
	h.said("closed")
}
