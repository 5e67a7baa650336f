package services

import (
	"net/netip"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
	"github.com/hookd/hookd/stacks/sip/nat"
)

// NatSigns implements [sipev.Functions].
func (s *Desk) NatSigns(_ *event.Caller, m sipev.Message) []string {
	list := []string{}
	for _, sign := range nat.Signs(indexOf(m), m.Source().Endpoint()) {
		list = append(list, string(sign))
	}
	return list
}

// NatAlias implements [sipev.Functions].
func (s *Desk) NatAlias(by *event.Caller, m sipev.Message) error {
	value, err := nat.Alias(indexOf(m), m.Source().Endpoint(), m.Source().Transport())
	if err != nil {
		return err
	}
	return m.SetHeader(by, msg.Contact.String(), value)
}

// NatFixSDP implements [sipev.Functions].
func (s *Desk) NatFixSDP(by *event.Caller, m sipev.Message, addr netip.Addr) (bool, error) {
	if !addr.IsValid() {
		if addr = m.Source().IP(); !addr.IsValid() {
			return false, nil // a reply that was made here
		}
	}
	body, changed := nat.FixSDP(indexOf(m), addr)
	if !changed {
		return false, nil
	}
	return true, m.SetBody(by, body, "")
}
