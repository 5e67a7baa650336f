package web

import (
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/netio"
)

// deadline is what a session expects until when. Its timer is armed for the
// earliest time that was ever asked for and looks again when it runs, so that a
// connection with much traffic does not move it at each request.
type deadline struct {
	timer event.Timer
	when  int64
	span  time.Duration
	what  string
	run   func(int64)
}

// expect begins a deadline in the place of the one before.
func (s *server) expect(what string, in time.Duration) {
	u := &s.until
	u.what, u.span = what, in
	u.when = s.d.stack.Loop().Now() + int64(in)
	if !u.timer.Armed() || u.when < u.timer.When() {
		s.arm()
	}
}

func (s *server) arm() {
	u := &s.until
	if u.run == nil {
		u.run = s.late
	}
	s.c.Shard().Timers().Arm(&u.timer, u.when, u.run)
}

// stop ends the deadline. The timer may still run, and finds none.
func (u *deadline) stop(s *server) {
	u.what, u.when = "", 0
	if s.state == over {
		s.c.Shard().Timers().Stop(&u.timer)
	}
}

// late is called when the timer runs.
func (s *server) late(now int64) {
	u := &s.until
	if u.when == 0 {
		return
	}
	when := u.when
	if u.what == "body" {
		when += s.came / bodyRate * int64(time.Second)
	}
	if now < when {
		s.c.Shard().Timers().Arm(&u.timer, when, u.run)
		return
	}
	why := netio.Reason{Why: netio.Timeout, What: u.what}
	switch u.what {
	case "idle":
		s.shut(why)
	case "reply":
		s.refusal(504, "no answer in time", why)
	default:
		s.refusal(408, u.what+" too late", why)
	}
}
