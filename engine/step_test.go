package engine_test

import (
	"sync"
	"testing"

	"github.com/hookd/hookd/engine"
)

// TestFollowersComeAndGo has those who follow steps come and go while events are
// raised: who stays hears of each.
func TestFollowersComeAndGo(t *testing.T) {
	var b binder
	b.act = func(*engine.Call) {}
	r := newRig(t, engine.Limits{}, fakeRuntime{"a.lua": b.script()}).up()
	heard := 0
	defer r.Follow(func(*engine.Step) { heard++ })()
	const events = 3000
	var raising sync.WaitGroup
	raising.Go(func() {
		for n := range events {
			r.start(newConn(uint64(n+1), "10.0.0.1:1000", "10.0.0.2:80"))
		}
	})
	for range 300 {
		first, second := r.Follow(func(*engine.Step) {}), r.Follow(func(*engine.Step) {})
		first()
		second()
	}
	raising.Wait()
	if heard < events {
		t.Errorf("%d steps of %d events", heard, events)
	}
}
