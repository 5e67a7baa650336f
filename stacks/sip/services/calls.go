package services

import (
	"errors"
	"fmt"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/plain"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip"
	"github.com/hookd/hookd/stacks/sip/dialog"
)

// defaultFollowed is how long a call is followed at most.
const defaultFollowed = 12 * time.Hour

// DialogTrack implements [sipev.Functions].
func (s *Desk) DialogTrack(by *event.Caller, tx sipev.Tx, options any) error {
	if onlyTries(by) {
		return nil
	}
	if tx.Method() != "INVITE" || tx.IsLocal() || tx.To().Tag() != nil {
		return errors.New("dialog.track: an INVITE that begins a call expected")
	}
	c := &dialog.Call{
		ID: tx.ID(), CallID: tx.CallID(), FromTag: string(tx.From().Tag()), From: string(tx.From().URI()), To: string(tx.To().URI()),
		URI: string(tx.RURI().Text()), Source: tx.Source().Endpoint().String(), Began: by.Shard.Now(),
	}
	life := defaultFollowed
	if err := readTracking(c, &life, options); err != nil {
		return fmt.Errorf("dialog.track: %w", err)
	}
	s.mu.Lock()
	err := s.calls.Track(c, life)
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("dialog.track: %w", err)
	}
	s.follow(by.Shard)
	return nil
}

func readTracking(c *dialog.Call, life *time.Duration, options any) error {
	list, ok := options.([]event.KV)
	if options != nil && !ok {
		return errors.New("a table of options expected")
	}
	for _, o := range list {
		var err error
		switch o.Key {
		case "profiles":
			err = plain.SetStrings(&c.Profiles, o.Value)
		case "timeout":
			if err = plain.SetDuration(life, o.Value); err == nil && *life <= 0 {
				err = errors.New("a time expected")
			}
		case "data":
			c.Data = o.Value
		default:
			err = errors.New("unknown; profiles, timeout and data are known")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", o.Key, err)
		}
	}
	return nil
}

// DialogCount implements [sipev.Functions].
func (s *Desk) DialogCount(_ *event.Caller, profile string) uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return uint32(s.calls.Count(profile))
}

// DialogList implements [sipev.Functions].
func (s *Desk) DialogList(_ *event.Caller, profile string, limit uint32, hasLimit bool) any {
	if !hasLimit {
		limit = defaultListed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []any{}
	for _, c := range s.calls.List(profile, int(limit)) {
		list = append(list, callRow(c))
	}
	return list
}

// callRow makes a call a table.
func callRow(c *dialog.Call) []event.KV {
	profiles := make([]any, len(c.Profiles))
	for i := range c.Profiles {
		profiles[i] = c.Profiles[i]
	}
	row := []event.KV{
		{Key: "call_id", Value: c.CallID},
		{Key: "from", Value: c.From},
		{Key: "to", Value: c.To},
		{Key: "uri", Value: c.URI},
		{Key: "source", Value: c.Source},
		{Key: "profiles", Value: profiles},
		{Key: "began", Value: float64(c.Began) / 1e9},
	}
	if c.Data != nil {
		row = append(row, event.KV{Key: "data", Value: c.Data})
	}
	if c.Answered != 0 {
		row = append(row, event.KV{Key: "answered", Value: float64(c.Answered) / 1e9})
	}
	if c.Ended != 0 {
		row = append(row, event.KV{Key: "ended", Value: float64(c.Ended) / 1e9})
	}
	return row
}

// Final implements [sip.Watcher].
func (s *Desk) Final(t *sip.Tx, m *sip.Message) {
	s.mu.Lock()
	followed := s.calls.Stats().Calls
	s.mu.Unlock()
	if followed == 0 {
		return
	}
	now := t.Shard().Now()
	switch t.Method() {
	case "INVITE":
		s.mu.Lock()
		c, ended := s.calls.Final(t.ID(), m.Status(), string(m.To().Tag()), t.Canceled(), now)
		s.mu.Unlock()
		if c != nil {
			s.tellCall(c, ended)
		}
	case "BYE":
		// A call whose BYE is refused goes on (RFC 3261, 12.2.1.2 and 15).
		if code := m.Status(); code >= 300 && code != 408 && code != 481 {
			return
		}
		s.mu.Lock()
		c := s.calls.Bye(t.CallID(), string(t.From().Tag()), string(t.To().Tag()), now)
		s.mu.Unlock()
		if c != nil {
			s.tellCall(c, true)
		}
	}
}

// Gone implements [sip.Watcher].
func (s *Desk) Gone(t *sip.Tx) {
	s.mu.Lock()
	c, _ := s.calls.Final(t.ID(), 0, "", t.Canceled(), t.Shard().Now())
	s.mu.Unlock()
	if c != nil {
		s.tellCall(c, true)
	}
}

// tellCall has rules told of a call, once the stack is at rest.
func (s *Desk) tellCall(c *dialog.Call, ended bool) {
	sh := s.stack.Shard()
	told := *c // as it is now
	if !sh.Post(func() { raiseCall(sh, &told, ended) }) {
		s.mu.Lock()
		s.stats.Untold++
		s.mu.Unlock()
	}
}

// raiseCall raises what became of a call. The caller has entered sh.
func raiseCall(sh *event.Shard, c *dialog.Call, ended bool) {
	until := c.Answered
	if until == 0 {
		until = c.Ended
	}
	setup := time.Duration(until - c.Began)
	switch {
	case !ended && sipev.OnDialogStart.Wanted(sh):
		sipev.OnDialogStart.Emit(sh, &sipev.DialogStart{Call: callRow(c), CallID: c.CallID, Setup: setup})
	case ended && sipev.OnDialogEnd.Wanted(sh):
		e := sipev.DialogEnd{
			Call: callRow(c), CallID: c.CallID, From: c.From, To: c.URI, Code: uint16(c.Code), EndedBy: sipev.EndedBy(c.How), Setup: setup,
		}
		if c.Answered != 0 {
			e.Duration = time.Duration(c.Ended - c.Answered)
		}
		sipev.OnDialogEnd.Emit(sh, &e)
	}
}

// follow has calls that lapse be noticed. The caller has entered sh, the stack's shard.
func (s *Desk) follow(sh *event.Shard) {
	s.mu.Lock()
	next, ok := s.calls.Next()
	s.mu.Unlock()
	if ok && (!s.lapse.Armed() || next < s.lapse.When()) {
		sh.Timers().Arm(&s.lapse, next, func(now int64) {
			s.mu.Lock()
			list := s.calls.Expire(now)
			s.mu.Unlock()
			for _, c := range list {
				raiseCall(sh, c, true)
			}
			s.follow(sh)
		})
	}
}
