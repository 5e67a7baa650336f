package flow

import "github.com/hookd/hookd/stacks/flow/filter"

// CompileScope compiles a pcap-filter expression of what a connection's own key decides (mOS's
// stream_syn_filter): protocol, addresses, networks, ports, VLAN. src is the client, dst the server.
// The predicate takes a [Conn]; anything else is out of scope. Errors are [*filter.SyntaxError].
func CompileScope(expr string) (func(subject any) bool, error) {
	parsed, err := filter.Parse(expr)
	if err != nil {
		return nil, err
	}
	scope, err := parsed.Scope()
	if err != nil {
		return nil, err
	}
	return func(subject any) bool {
		c, ok := subject.(*Conn)
		if !ok {
			return false
		}
		k := c.filterKey()
		return scope.Match(&k)
	}, nil
}

// protoTCP is the protocol number of TCP (RFC 9293).
const protoTCP = 6

// filterKey is the connection's key as filters see it.
func (c *Conn) filterKey() filter.Key {
	client, server := c.client.Endpoint(), c.server.Endpoint()
	return filter.Key{
		Proto: protoTCP, IPv6: !client.Addr().Is4(), VLAN: c.vlan,
		SrcIP: client.Addr(), DstIP: server.Addr(),
		SrcPort: client.Port(), DstPort: server.Port(),
	}
}
