package netio

import (
	"testing"
	"time"
)

// TestWakes loses none, whatever the loop does just then: it is about to sleep, as
// after each of its turns, when the next comes.
func TestWakes(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		r := newRig(t, portable)
		done := make(chan struct{})
		for i := range 20_000 {
			r.l.Post(func() { done <- struct{}{} })
			select {
			case <-done:
			case <-time.After(time.Minute):
				t.Fatalf("post %d did not wake the loop", i)
			}
		}
	})
}
