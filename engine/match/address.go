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
//
// As in stores, an IPv4 address mapped into IPv6 (RFC 4291, 2.5.5.2) is the IPv4
// address, and zones do not matter: see canonical.
func (f field) address() (leaf, *Error) {
	endpoint := f.Type.Kind == event.Endpoint
	switch f.node.Op {
	case Eq, Ne:
		if endpoint {
			return f.endpoints()
		}
	case CIDR, Range:
	default:
		return leaf{}, f.refuse(Eq, Ne, CIDR, Range, Present)
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
			if !ok || !holds(v.Set, event.IP) {
				return nil, 0, f.never(v, "")
			}
			tests, cost = append(tests, s.HasIP), cost+costStore
			continue
		}
		n, err := f.network(v)
		switch {
		case err != nil:
			return nil, 0, err
		case n.IsSingleIP():
			addrs = append(addrs, n.Addr())
		default:
			nets = append(nets, n)
		}
	}
	// The fixed values come first: they are cheaper than stores.
	var fixed []func(netip.Addr) bool
	if len(addrs) > 0 {
		fixed, cost = append(fixed, isOneOf(addrs)), cost+costList
	}
	if len(nets) > 0 {
		fixed, cost = append(fixed, inNetworks(nets)), cost+costLookup
	}
	in := either(append(fixed, tests...))
	return func(a netip.Addr) bool { return in(canonical(a)) }, cost, nil
}

// network reads a literal: an address, which is a network of its own, or a
// network.
func (f field) network(v Value) (netip.Prefix, *Error) {
	if v.Kind != TextValue {
		return netip.Prefix{}, f.never(v, "")
	}
	if a, err := netip.ParseAddr(v.Text); err == nil {
		if err := f.zone(v, a); err != nil {
			return netip.Prefix{}, err
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(v.Text)
	if err != nil {
		if ep, err := netip.ParseAddrPort(v.Text); err == nil {
			return p, f.never(v, quote(ep.Addr().String()))
		}
		return p, f.fail("%s is neither an address nor a network", v).about(v)
	}
	if p.Masked() != p {
		return p, f.never(v, quote(p.Masked().String())+", or the address without its length")
	}
	if p.Addr().Is4In6() {
		return f.mapped(v, p)
	}
	return p, nil
}

// mapped returns the IPv4 network that is written as an IPv6 one. A shorter one
// than that of all mapped addresses is no network of either.
func (f field) mapped(v Value, p netip.Prefix) (netip.Prefix, *Error) {
	if p.Bits() < 96 {
		return p, f.never(v, "")
	}
	return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96), nil
}

// zone refuses addresses with a zone: those compared with have none.
func (f field) zone(v Value, a netip.Addr) *Error {
	if a.Zone() == "" {
		return nil
	}
	return f.never(v, "the address without its zone: "+quote(a.WithZone("").String()))
}

// addrRange tests for the addresses between two of the same family.
func (f field) addrRange() (func(netip.Addr) bool, *Error) {
	var ends [2]netip.Addr
	for i, v := range f.node.Values {
		a, err := netip.ParseAddr(v.Text)
		if v.Kind != TextValue || err != nil {
			return nil, f.fail("%s is not an address", v).about(v)
		}
		if err := f.zone(v, a); err != nil {
			return nil, err
		}
		ends[i] = a.Unmap()
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
		// All IPv4 addresses sort before all IPv6 ones, so only one family can be
		// between two of its own.
		a = canonical(a)
		return !a.Less(lo) && !hi.Less(a)
	}, nil
}

// endpoints tests for whole endpoints.
func (f field) endpoints() (leaf, *Error) {
	var eps []netip.AddrPort
	var stores []func(netip.AddrPort) bool
	for _, v := range f.node.Values {
		if v.Kind == SetValue {
			s, ok := v.Set.(EndpointSet)
			if !ok || !holds(v.Set, event.Endpoint) {
				return leaf{}, f.never(v, "")
			}
			stores = append(stores, s.HasEndpoint)
			continue
		}
		ep, err := netip.ParseAddrPort(v.Text)
		if v.Kind != TextValue || err != nil {
			return leaf{}, f.notEndpoint(v)
		}
		if err := f.zone(v, ep.Addr()); err != nil {
			return leaf{}, err
		}
		eps = append(eps, netip.AddrPortFrom(ep.Addr().Unmap(), ep.Port()))
	}
	l := leaf{absent: f.negate(), cost: costStore * len(stores)}
	var tests []func(netip.AddrPort) bool
	if len(eps) > 0 {
		tests, l.cost = append(tests, isOneOf(eps)), l.cost+costList
	}
	get := f.Get.Endpoint
	at := func(o any) netip.AddrPort {
		ep := get(o)
		return netip.AddrPortFrom(canonical(ep.Addr()), ep.Port())
	}
	l.test = holder(at, either(append(tests, stores...)), f.negate())
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

// inNetworks tests for membership in one of the networks.
func inNetworks(nets []netip.Prefix) func(netip.Addr) bool {
	const linear = 2
	if len(nets) <= linear {
		return func(a netip.Addr) bool {
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
	return table.Contains
}

// canonical returns the form in which addresses are compared: IPv4 is IPv4 even
// where it is mapped into IPv6, and zones are gone.
func canonical(a netip.Addr) netip.Addr {
	if a.Is4() {
		return a
	}
	return a.Unmap().WithZone("")
}
