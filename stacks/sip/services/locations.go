package services

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/plain"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip"
	"github.com/hookd/hookd/stacks/sip/location"
	"github.com/hookd/hookd/stacks/sip/msg"
	"github.com/hookd/hookd/stacks/sip/nat"
)

// What a contact gets where a policy does not say.
const (
	leastExpires    = time.Minute
	standardExpires = time.Hour
	defaultListed   = 1000
)

// LocationSave implements [sipev.Functions].
func (s *Desk) LocationSave(by *event.Caller, m sipev.Message, aor string, least time.Duration, hasLeast bool, most time.Duration, hasMost bool,
	standard time.Duration, hasStandard bool, contacts uint32, _ bool, hidden bool,
) (uint16, string, any, error) {
	p := location.Policy{
		AOR: aor, Min: leastExpires, Max: standardExpires, Default: standardExpires, Contacts: int(contacts), OnlyTry: onlyTries(by),
	}
	for _, t := range []struct {
		to    *time.Duration
		value time.Duration
		said  bool
	}{{&p.Min, least, hasLeast}, {&p.Max, most, hasMost}, {&p.Default, standard, hasStandard}} {
		if t.said {
			*t.to = t.value
		}
		if *t.to < time.Second || *t.to > 365*24*time.Hour {
			return 0, "", nil, errors.New("location.save: times from 1 s to 365 days expected")
		}
	}
	from := m.Source()
	if hop := from.Endpoint(); hop.IsValid() && (hidden || from.Transport() > sipev.TransportUDP) {
		p.NextHop = nat.URI(hop, from.Transport())
		if at := m.(*sip.Message).CameTo(); at.IsValid() {
			p.Socket = at.String()
		}
	}
	a := s.register(by, indexOf(m), &p)
	return uint16(a.Code), a.Reason, headersOf(a.Fields), nil
}

func (s *Desk) register(by *event.Caller, m *msg.Message, p *location.Policy) (a location.Answer) {
	if p.OnlyTry {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.places.Register(m, p, by.Shard.Now())
	}
	s.change(by.Shard, func(now int64) { a = s.places.Register(m, p, now) })
	return a
}

// headersOf makes a table of header fields, several of a name in a list.
func headersOf(fields []location.Field) any {
	list := []event.KV{}
next:
	for _, f := range fields {
		for i := range list {
			if list[i].Key == f.Name {
				list[i].Value = append(list[i].Value.([]any), f.Value)
				continue next
			}
		}
		list = append(list, event.KV{Key: f.Name, Value: []any{f.Value}})
	}
	return list
}

// addressOf reads an address of record: a URI, or user@host as it is.
func addressOf(text string) string {
	if aor, err := location.AOR([]byte(text)); err == nil {
		return aor
	}
	return text
}

// LocationLookup implements [sipev.Functions].
func (s *Desk) LocationLookup(by *event.Caller, aor string) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := by.Shard.Now()
	list := []any{}
	found, gruu := s.places.Instance([]byte(aor), now)
	if !gruu {
		found = s.places.Contacts(addressOf(aor), now)
	}
	for step, contacts := range location.Steps(found) {
		for _, c := range contacts {
			list = append(list, rowOf(c, now, step+1))
		}
	}
	return list
}

// LocationHas implements [sipev.Functions]. A URI with maddr leads where that says, whoever
// its host or instance is.
func (s *Desk) LocationHas(by *event.Caller, aor, uri string) bool {
	u, err := msg.ParseURI([]byte(uri))
	if _, elsewhere := u.Param("maddr"); err != nil || elsewhere {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now, known := by.Shard.Now(), addressOf(aor)
	if list, gruu := s.places.Instance([]byte(uri), now); gruu {
		return len(list) != 0 && list[0].AOR == known
	}
	if _, next, ok := nat.Split(uri); ok {
		uri = next
	}
	at, ok := endOf(uri)
	return ok && slices.ContainsFunc(s.places.Contacts(known, now), func(c *location.Contact) bool {
		own, ok := endOf(cmp.Or(c.NextHop, c.URI))
		return ok && own == at
	})
}

// end is where a URI leads, apart from how.
type end struct {
	host string
	port uint16
}

// endOf reads it; false where the URI is none of SIP.
func endOf(uri string) (end, bool) {
	u, err := msg.ParseURI([]byte(uri))
	if err != nil || u.Scheme != msg.SIP && u.Scheme != msg.SIPS {
		return end{}, false
	}
	e := end{strings.ToLower(string(u.Host)), u.Port}
	if transport, _ := u.Param("transport"); e.port == 0 && (u.Scheme == msg.SIPS || msg.EqualFold(transport, []byte("tls"))) {
		e.port = 5061
	}
	e.port = cmp.Or(e.port, 5060)
	return e, true
}

// Locate implements [sip.Watcher].
func (s *Desk) Locate(uri []byte, now int64) (sip.Place, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, _ := s.places.Instance(uri, now)
	if len(list) == 0 {
		return sip.Place{}, false
	}
	c := list[0]
	p := sip.Place{URI: c.URI, Next: c.NextHop, Route: slices.Clone(c.Path)}
	if at, err := netip.ParseAddrPort(c.Socket); err == nil {
		p.Socket = at
	}
	return p, true
}

// LocationContacts implements [sipev.Functions].
func (s *Desk) LocationContacts(by *event.Caller, limit uint32, hasLimit bool) any {
	if !hasLimit {
		limit = defaultListed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := by.Shard.Now()
	list := []any{}
	for i, c := range s.places.All(now) {
		if i == int(limit) {
			break
		}
		list = append(list, rowOf(c, now, 1))
	}
	return list
}

// rowOf makes a contact a row of a list of targets.
func rowOf(c *location.Contact, now int64, step int) []event.KV {
	row := []event.KV{{Key: "aor", Value: c.AOR}, {Key: "uri", Value: c.URI}, {Key: "step", Value: float64(step)}}
	text := func(key, value string) {
		if value != "" {
			row = append(row, event.KV{Key: key, Value: value})
		}
	}
	text("next_hop", c.NextHop)
	text("socket", c.Socket)
	if len(c.Path) != 0 {
		route := make([]any, len(c.Path))
		for i := range c.Path {
			route[i] = c.Path[i]
		}
		row = append(row, event.KV{Key: "route", Value: route})
	}
	text("instance", strings.Trim(c.Instance, `"`))
	if c.RegID != 0 {
		row = append(row, event.KV{Key: "reg_id", Value: float64(c.RegID)})
	}
	text("call_id", c.CallID)
	text("agent", c.Agent)
	return append(row,
		event.KV{Key: "q", Value: float64(c.Q) / 1000}, event.KV{Key: "cseq", Value: float64(c.CSeq)},
		event.KV{Key: "since", Value: float64(c.Since) / 1e9}, event.KV{Key: "expires", Value: float64(c.Expires-now) / 1e9},
		event.KV{Key: "ends", Value: float64(c.Expires) / 1e9})
}

// LocationRemove implements [sipev.Functions].
func (s *Desk) LocationRemove(by *event.Caller, aor, uri string) (uint32, error) {
	n := 0
	if onlyTries(by) {
		return 0, nil
	}
	s.change(by.Shard, func(int64) { n = s.places.Remove(addressOf(aor), uri) })
	return uint32(n), nil
}

// LocationRestore implements [sipev.Functions].
func (s *Desk) LocationRestore(by *event.Caller, row any) error {
	if onlyTries(by) {
		return nil
	}
	now := by.Shard.Now()
	c, err := contactOf(row, now)
	if err != nil || c.Expires <= now {
		return err
	}
	room := false
	s.change(by.Shard, func(int64) { room = s.places.Put(c, now) })
	if !room {
		return errors.New("location.restore: there is no room")
	}
	return nil
}

// contactOf reads a row.
func contactOf(row any, now int64) (*location.Contact, error) {
	fields, ok := row.([]event.KV)
	if !ok {
		return nil, errors.New("location.restore: a table expected")
	}
	c := &location.Contact{Q: 1000, Since: now}
	var q, since, expires, ends float64
	for _, f := range fields {
		var err error
		switch f.Key {
		case "aor":
			err = plain.SetString(&c.AOR, f.Value)
		case "uri":
			err = plain.SetString(&c.URI, f.Value)
		case "next_hop":
			err = plain.SetString(&c.NextHop, f.Value)
		case "socket":
			err = plain.SetString(&c.Socket, f.Value)
		case "route":
			err = plain.SetStrings(&c.Path, f.Value)
		case "instance":
			if err = plain.SetString(&c.Instance, f.Value); c.Instance != "" {
				c.Instance = `"` + c.Instance + `"`
			}
		case "reg_id":
			err = plain.SetUint(&c.RegID, f.Value)
		case "call_id":
			err = plain.SetString(&c.CallID, f.Value)
		case "agent":
			err = plain.SetString(&c.Agent, f.Value)
		case "cseq":
			err = plain.SetUint(&c.CSeq, f.Value)
		case "q":
			if err = plain.SetFloat(&q, f.Value); q >= 0 && q <= 1 {
				c.Q = int(q*1000 + 0.5)
			}
		case "since":
			if err = plain.SetFloat(&since, f.Value); since > 0 {
				c.Since = int64(since * 1e9)
			}
		case "expires":
			if err = plain.SetFloat(&expires, f.Value); ends == 0 && expires > 0 && expires < 1e9 {
				c.Expires = now + int64(expires*1e9)
			}
		case "ends":
			if err = plain.SetFloat(&ends, f.Value); ends > 0 && ends < 9e9 {
				c.Expires = int64(ends * 1e9)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("location.restore: %s: %w", f.Key, err)
		}
	}
	if u, err := msg.ParseURI([]byte(c.URI)); err != nil || u.Scheme == msg.OtherScheme || c.AOR == "" {
		return nil, errors.New("location.restore: aor and the URI of a contact expected")
	}
	return c, nil
}
