package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hookd/hookd/stacks/flow/capture"
	"github.com/hookd/hookd/stacks/flow/filter"
)

// packetFilter selects packets by a pcap-filter expression, which is compiled
// once for each link type that the captures have.
type packetFilter struct {
	expr   *filter.Expr
	byLink map[capture.LinkType]*filter.Matcher
	// tagged: it asks for VLAN tags.
	tagged bool
}

// newPacketFilter parses --filter; an empty expression selects everything and
// gives nil.
func newPacketFilter(expr string) (*packetFilter, error) {
	if expr == "" {
		return nil, nil
	}
	parsed, err := filter.Parse(expr)
	if err != nil {
		return nil, usagef("--filter: %w", err)
	}
	tagged := slices.ContainsFunc(strings.FieldsFunc(parsed.String(), func(r rune) bool { return r == ' ' || r == '(' || r == ')' }),
		func(word string) bool { return word == "vlan" })
	return &packetFilter{expr: parsed, byLink: map[capture.LinkType]*filter.Matcher{}, tagged: tagged}, nil
}

// another returns a filter that selects the same, for another goroutine.
func (p *packetFilter) another() *packetFilter {
	return &packetFilter{expr: p.expr, byLink: map[capture.LinkType]*filter.Matcher{}, tagged: p.tagged}
}

// selects reports whether the packet is wanted; the error says that the
// expression makes no sense for the packet's link type.
func (p *packetFilter) selects(f *capture.Frame) (bool, error) {
	m := p.byLink[f.Link]
	if m == nil {
		var err error
		if m, err = p.expr.Matcher(uint16(f.Link)); err != nil {
			return false, fmt.Errorf("--filter on link type %s: %w", f.Link, err)
		}
		p.byLink[f.Link] = m
	}
	return m.Match(f.Data, f.WireLen), nil
}
