package match

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"

	"github.com/hookd/hookd/engine/event"
)

// address compiles tests of addresses and endpoints. Of an endpoint, a network
// and a range look at the address alone.
func (f field) address() (leaf, *Error) {
	endpoint := f.Type.Kind == event.Endpoint
	switch f.node.Op {
	case Is, IsNot:
		if endpoint {
			return f.endpoints()
		}
	case CIDR, Range:
	default:
		return leaf{}, f.refuse(Is, IsNot, CIDR, Range, Present)
	}
	test, cost, err := f.addrTest()
	if err != nil {
		return leaf{}, err
	}
	l := leaf{absent: f.negate(), cost: cost}
	if endpoint {
		get := f.Get.Endpoint
		l.test = func(o any) bool { return test(get(o).Addr()) }
	} else {
		l.test = holder(f.Get.IP, test, f.negate())
	}
	return l, nil
}

// addrTest returns the test of an address.
func (f field) addrTest() (test func(netip.Addr) bool, cost int, err *Error) {
	if f.node.Op == Range {
		test, err = f.addrRange()
		return test, costCompare, err
	}
	var addrs []netip.Addr
	var nets []netip.Prefix
	var tests []func(netip.Addr) bool
	for _, v := range f.node.Values {
		if v.Kind == SetValue {
			s, ok := v.Set.(IPSet)
			if !ok || v.Set.KeyKind() != event.IP {
				return nil, 0, f.never(v, "")
			}
			tests, cost = append(tests, s.HasIP), cost+costStore
			continue
		}
		if a, err := netip.ParseAddr(v.Text); err == nil && v.Kind == TextValue && f.node.Op != CIDR {
			addrs = append(addrs, a)
			continue
		}
		n, err := f.network(v)
		if err != nil {
			return nil, 0, err
		}
		nets = append(nets, n)
	}
	// The fixed values come first: they are cheaper than stores.
	var fixed []func(netip.Addr) bool
	if len(addrs) > 0 {
		fixed, cost = append(fixed, isOneOf(addrs)), cost+costList
	}
	if len(nets) > 0 {
		fixed, cost = append(fixed, inNetworks(nets)), cost+costLookup
	}
	return either(append(fixed, tests...)), cost, nil
}

// network reads a literal: an address, which is a network of its own, or a
// network.
func (f field) network(v Value) (netip.Prefix, *Error) {
	if v.Kind != TextValue {
		return netip.Prefix{}, f.never(v, "")
	}
	if a, err := netip.ParseAddr(v.Text); err == nil {
		if a.Zone() != "" {
			return netip.Prefix{}, f.never(v, quote(a.WithZone("").String()))
		}
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(v.Text)
	switch {
	case err == nil && p.Masked() == p:
		return p, nil
	case err == nil:
		return p, f.never(v, quote(p.Masked().String())+", or the address without its length")
	}
	if ep, err := netip.ParseAddrPort(v.Text); err == nil {
		return p, f.never(v, quote(ep.Addr().String()))
	}
	return p, f.fail("%s is neither an address nor a network", v).about(v)
}

// addrRange tests for the addresses between two of the same family.
func (f field) addrRange() (func(netip.Addr) bool, *Error) {
	var ends [2]netip.Addr
	for i, v := range f.node.Values {
		a, err := netip.ParseAddr(v.Text)
		if v.Kind != TextValue || err != nil || a.Zone() != "" {
			return nil, f.fail("%s is not an address", v).about(v)
		}
		ends[i] = a
	}
	lo, hi := ends[0], ends[1]
	if lo.BitLen() != hi.BitLen() {
		return nil, f.fail("is.range(%s, %s) mixes IPv4 and IPv6", f.node.Values[0], f.node.Values[1])
	}
	if hi.Less(lo) {
		return nil, f.fail("is.range(%s, %s) never matches", f.node.Values[0], f.node.Values[1]).
			instead(fmt.Sprintf("write is.range(%s, %s)", f.node.Values[1], f.node.Values[0]))
	}
	return func(a netip.Addr) bool {
		a = bare(a)
		return a.BitLen() == lo.BitLen() && !a.Less(lo) && !hi.Less(a)
	}, nil
}

// endpoints tests for whole endpoints.
func (f field) endpoints() (leaf, *Error) {
	var eps []netip.AddrPort
	var stores []func(netip.AddrPort) bool
	for _, v := range f.node.Values {
		if v.Kind == SetValue {
			s, ok := v.Set.(EndpointSet)
			if !ok || v.Set.KeyKind() != event.Endpoint {
				return leaf{}, f.never(v, "")
			}
			stores = append(stores, s.HasEndpoint)
			continue
		}
		ep, err := netip.ParseAddrPort(v.Text)
		if v.Kind != TextValue || err != nil {
			return leaf{}, f.notEndpoint(v)
		}
		eps = append(eps, ep)
	}
	l := leaf{absent: f.negate(), cost: costStore * len(stores)}
	var tests []func(netip.AddrPort) bool
	if len(eps) > 0 {
		tests, l.cost = append(tests, isOneOf(eps)), l.cost+costList
	}
	l.test = holder(f.Get.Endpoint, either(append(tests, stores...)), f.negate())
	return l, nil
}

func (f field) notEndpoint(v Value) *Error {
	if a, err := netip.ParseAddr(v.Text); err == nil {
		return f.never(v, quote(netip.AddrPortFrom(a, 5060).String())+" with the port, or is.cidr "+v.String()+" for any port")
	}
	if _, err := netip.ParsePrefix(v.Text); err == nil {
		return f.never(v, "is.cidr "+v.String())
	}
	return f.never(v, "")
}

// isOneOf tests for equality with one of a list.
func isOneOf[T comparable](values []T) func(T) bool {
	const linear = 4
	switch {
	case len(values) == 1:
		want := values[0]
		return func(v T) bool { return v == want }
	case len(values) <= linear:
		return func(v T) bool { return slices.Contains(values, v) }
	}
	set := make(map[T]struct{}, len(values))
	for _, v := range values {
		set[v] = struct{}{}
	}
	return func(v T) bool {
		_, ok := set[v]
		return ok
	}
}

// inNetworks tests for membership in one of the networks. IPv4 addresses inside
// IPv6 are IPv6, and zones do not matter.
func inNetworks(nets []netip.Prefix) func(netip.Addr) bool {
	const linear = 2
	if len(nets) <= linear {
		return func(a netip.Addr) bool {
			a = bare(a)
			for i := range nets {
				if nets[i].Contains(a) {
					return true
				}
			}
			return false
		}
	}
	table := new(bart.Lite)
	for _, n := range nets {
		table.Insert(n)
	}
	return func(a netip.Addr) bool { return table.Contains(a) }
}

// bare returns a without its zone.
func bare(a netip.Addr) netip.Addr {
	if a.Is6() && a.Zone() != "" {
		return a.WithZone("")
	}
	return a
}
