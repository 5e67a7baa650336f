package flow

import (
	"net/netip"

	"github.com/hookd/hookd/stacks/flow/filter"
)

// CompileScope compiles a pcap-filter expression of what a connection's own key decides (mOS's
// stream_syn_filter): protocol, addresses, networks, ports, VLAN. src is the client, dst the server.
// The predicate takes a [Conn] or an [Exchange]; anything else is out of scope. Errors are [*filter.SyntaxError].
func CompileScope(expr string) (func(subject any) bool, error) {
	parsed, err := filter.Parse(expr)
	if err != nil {
		return nil, err
	}
	scope, err := parsed.Scope()
	if err != nil {
		return nil, err
	}
	return func(subject any) bool { return inScope(scope, subject) }, nil
}

// inScope asks a scope about a [Conn] or [Exchange].
func inScope(scope *filter.Scope, subject any) bool {
	var k filter.Key
	switch c := subject.(type) {
	case *Conn:
		k = filterKey(protoTCP, c.vlan, c.client.Endpoint(), c.server.Endpoint())
	case *Exchange:
		k = filterKey(c.ipProto(), c.vlan, c.client.Endpoint(), c.server.Endpoint())
	default:
		return false
	}
	return scope.Match(&k)
}

// Protocol numbers (IANA protocol-numbers) of what has connections here.
const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
)

// filterKey is a connection's key as filters see it.
func filterKey(proto uint8, vlan uint16, client, server netip.AddrPort) filter.Key {
	return filter.Key{
		Proto: proto, IPv6: !client.Addr().Is4(), VLAN: vlan,
		SrcIP: client.Addr(), DstIP: server.Addr(),
		SrcPort: client.Port(), DstPort: server.Port(),
	}
}
