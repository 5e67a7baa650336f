package services

import (
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/location"
)

// contactChange is one that rules have not heard of yet.
type contactChange struct {
	row      []event.KV
	aor, uri string
	left     time.Duration
	change   location.Change
}

// noted keeps what became of a contact until the lock is given back. It is called under
// the lock.
func (s *Desk) noted(c *location.Contact, change location.Change) {
	left := time.Duration(max(0, c.Expires-s.at))
	if change == location.Removed {
		left = 0
	}
	s.news = append(s.news, contactChange{row: rowOf(c, s.at, 1), aor: c.AOR, uri: c.URI, left: left, change: change})
}

// change lets do change what is known, under the lock, and tells rules afterwards. The
// caller has entered sh.
func (s *Desk) change(sh *event.Shard, do func(now int64)) {
	news := s.changed(sh, do)
	for i := range news {
		if sipev.OnContact.Wanted(sh) {
			n := &news[i]
			sipev.OnContact.Emit(sh, &sipev.Contact{
				Contact: n.row, Change: sipev.ContactChange(n.change), Aor: n.aor, URI: n.uri, Expires: n.left,
			})
		}
	}
}

// changed is the part of change under the lock, which is given back whatever do does.
func (s *Desk) changed(sh *event.Shard, do func(now int64)) []contactChange {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = sh.Now()
	do(s.at)
	news := s.news
	s.news = nil
	s.watch(sh)
	return news
}

// watch has what ends next be noticed when it does, in the first shard. It is called
// under the lock.
func (s *Desk) watch(sh *event.Shard) {
	next, ok := s.places.Next()
	if !ok || s.waking != 0 && s.waking <= next {
		return
	}
	s.waking = next
	home := sh.Set().At(0)
	arm := func() { home.Timers().Arm(&s.timer, next, func(int64) { s.expire(home) }) }
	if home == sh {
		arm()
		return
	}
	if !home.Post(arm) {
		s.waking = 0 // the next change tries again
	}
}

// expire takes away what has ended. The first shard is entered.
func (s *Desk) expire(home *event.Shard) {
	s.change(home, func(now int64) {
		s.waking = 0
		s.places.Expire(now)
	})
}
