package sip

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/plain"
	"github.com/hookd/hookd/engine/event/sipev"
)

// target is one place that a request is forwarded to.
type target struct {
	uri    string         // that the request gets; empty: it keeps its own
	next   []byte         // URI of where it is sent, if not to where it says itself
	route  []string       // values of Route that it gets in front
	socket netip.AddrPort // address of ours that it is sent from
	set    string         // of destinations that it is one of
	backup bool           // it is tried only where those before are out of order
	step   int64
	// breadth is what it gets of the request's Max-Breadth; 0: nothing is said.
	breadth int
}

// steps returns the targets of a relay, those that are tried at the same time together.
func steps(args *sipev.RelayArgs) [][]target {
	var next []byte
	if args.NextHop != "" {
		next = []byte(args.NextHop)
	}
	var list []target
	switch {
	case args.Targets != nil:
		rows, _ := args.Targets.([]any)
		for _, row := range rows {
			if t, ok := readTarget(row); ok {
				list = append(list, t)
			}
		}
	case len(args.Fork) == 0:
		list = []target{{uri: args.To, next: next}}
	default:
		for _, uri := range args.Fork {
			list = append(list, target{uri: uri, next: next})
		}
	}
	slices.SortStableFunc(list, func(a, b target) int { return cmp.Compare(a.step, b.step) })
	var out [][]target
	for i := range list {
		if i == 0 || list[i].step != list[i-1].step {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], list[i])
	}
	return out
}

// readTarget reads a row of targets; false where it is none.
func readTarget(row any) (target, bool) {
	var t target
	if uri, ok := row.(string); ok {
		return target{uri: uri}, true
	}
	fields, ok := row.([]event.KV)
	for _, f := range fields {
		var err error
		switch f.Key {
		case "uri":
			err = plain.SetString(&t.uri, f.Value)
		case "next_hop":
			err = plain.SetBytes(&t.next, f.Value)
		case "route":
			err = plain.SetStrings(&t.route, f.Value)
		case "socket":
			err = plain.SetEndpoint(&t.socket, f.Value)
		case "set":
			err = plain.SetString(&t.set, f.Value)
		case "backup":
			err = plain.SetBool(&t.backup, f.Value)
		case "step":
			err = plain.SetInt(&t.step, f.Value)
		}
		ok = ok && err == nil
	}
	return t, ok
}

// leaving returns hops that are reached from an address of ours, if there is one that
// matters. Those that were given are others' too.
func leaving(hops []Hop, from netip.AddrPort) []Hop {
	if !from.IsValid() {
		return hops
	}
	hops = slices.Clone(hops)
	for i := range hops {
		hops[i].Local = from
	}
	return hops
}
