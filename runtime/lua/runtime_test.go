package lua

import "testing"

func TestHello(t *testing.T) {
	t.Parallel()
	h := up(t, `rule "hello" { on = hookd.start, run = function() log.info("up", { gen = this.gen }) end }`)
	if got, want := h.take(), "up {\"gen\":1}\n"; got != want {
		t.Errorf("reported %q, want %q", got, want)
	}
}
