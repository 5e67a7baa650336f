package flow

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/flowev"
	"github.com/hookd/hookd/engine/event/plain"
	"github.com/hookd/hookd/stacks/flow/packet"
)

// tuple is what flow.find looks for.
type tuple struct {
	proto          flowev.Proto // ProtoOther: TCP, else UDP
	client, server netip.AddrPort
	id             uint16 // of ICMP
	roles          bool   // the client has to be the client
}

// Find implements [flowev.Functions]: it looks for the connection or flow of a tuple. One of another
// shard is given as a [Distant] where shards are driven apart.
func (s *Stack) Find(_ *event.Caller, what any) (conn flowev.Conn, why string, hasWhy bool) {
	t, err := readTuple(what)
	if err != nil {
		return nil, "flow.find: " + err.Error(), true
	}
	p := packet.Packet{
		Src: addrOf(t.client.Addr()), Dst: addrOf(t.server.Addr()), IPVersion: 4,
		SrcPort: t.client.Port(), DstPort: t.server.Port(),
	}
	if t.client.Addr().Is6() {
		p.IPVersion = 6
	}
	k, _ := keyOf(&p)
	if t.proto == flowev.ProtoICMP || t.proto == flowev.ProtoICMP6 {
		p.Class = packet.ICMP
		k, _ = exchangeKey(&p, query{id: t.id})
	}
	owner := s.common.of(&k)
	if owner == s || !s.common.apart {
		return owner.search(&p, &t), "", false
	}
	s.sh.Look(owner.sh, func() {
		if c := owner.search(&p, &t); c != nil {
			conn = s.distant(owner, c)
		}
	})
	return conn, "", false
}

// search finds a connection or flow of this stack, nil if there is none.
func (s *Stack) search(p *packet.Packet, t *tuple) flowev.Conn {
	if t.proto == flowev.ProtoTCP || t.proto == flowev.ProtoOther {
		if c := s.findConn(p, t.roles); c != nil {
			return c
		}
	}
	if t.proto != flowev.ProtoTCP {
		if x := s.findExchange(p, t); x != nil {
			return x
		}
	}
	return nil
}

// findConn returns the connection of p's ends; with roles, only if p's source is its client.
func (s *Stack) findConn(p *packet.Packet, roles bool) *Conn {
	k, low := keyOf(p)
	c := s.living(&k)
	if c == nil || roles && c.clientLow != low && k.low != k.high {
		return nil
	}
	return c
}

// living returns the connection of k, unless it is only remembered because rules cut it.
func (s *Stack) living(k *key) *Conn {
	c, _ := s.conns.find(k)
	if c == nil || c.group == inCut {
		return nil
	}
	return c
}

// findExchange does the same for UDP and ICMP.
func (s *Stack) findExchange(p *packet.Packet, t *tuple) *Exchange {
	kinds := []uint8{0}
	p.Proto = protoUDP
	switch t.proto {
	case flowev.ProtoICMP:
		p.Class, p.Proto, kinds = packet.ICMP, protoICMP, []uint8{8, 13, 15, 17}
	case flowev.ProtoICMP6:
		p.Class, p.Proto, kinds = packet.ICMP, protoICMPv6, []uint8{128}
	}
	for _, kind := range kinds {
		k, low := exchangeKey(p, query{kind: kind, id: t.id})
		if x, _ := s.exch.table.find(&k); x != nil && (!t.roles || x.clientLow == low || k.low == k.high) {
			return x
		}
	}
	return nil
}

// readTuple reads the argument of flow.find.
func readTuple(what any) (tuple, error) {
	var t tuple
	var err error
	switch what := what.(type) {
	case string:
		t, err = parseTuple(what)
	case []event.KV:
		t, err = tupleOf(what)
	default:
		return tuple{}, fmt.Errorf(`"10.0.0.1:1234 10.0.0.2:80" or a table expected, got %s`, plain.Describe(what))
	}
	switch {
	case err != nil:
		return tuple{}, err
	case !t.client.IsValid() || !t.server.IsValid():
		return tuple{}, errors.New("client and server have to be given")
	case t.client.Addr().Is4() != t.server.Addr().Is4():
		return tuple{}, fmt.Errorf("%s and %s are of two IP versions", t.client.Addr(), t.server.Addr())
	case t.proto == flowev.ProtoICMP && !t.client.Addr().Is4(), t.proto == flowev.ProtoICMP6 && t.client.Addr().Is4():
		return tuple{}, fmt.Errorf("%s does not run over the IP version of %s", t.proto, t.client.Addr())
	}
	return t, nil
}

// parseTuple reads "10.0.0.1:1234 10.0.0.2:80", with tcp or udp before it or not.
func parseTuple(text string) (tuple, error) {
	words := strings.Fields(text)
	var t tuple
	if len(words) == 3 {
		switch words[0] {
		case "tcp":
			t.proto = flowev.ProtoTCP
		case "udp":
			t.proto = flowev.ProtoUDP
		default:
			return tuple{}, fmt.Errorf("tcp or udp expected, got %s", plain.Describe(words[0]))
		}
		words = words[1:]
	}
	if len(words) != 2 {
		return tuple{}, fmt.Errorf(`"10.0.0.1:1234 10.0.0.2:80" expected, got %s`, plain.Describe(text))
	}
	for i, end := range [2]*netip.AddrPort{&t.client, &t.server} {
		if err := setEnd(end, words[i], false); err != nil {
			return tuple{}, err
		}
	}
	return t, nil
}

// tupleOf reads a table. The protocol says whether ends have ports, so it is read first.
func tupleOf(fields []event.KV) (tuple, error) {
	t := tuple{roles: true}
	hasID := false
	for _, f := range fields {
		if f.Key != "proto" {
			continue
		}
		if err := plain.SetEnum(&t.proto, f.Value, flowev.ProtoNames()); err != nil {
			return tuple{}, fmt.Errorf("proto: %w", err)
		}
		if t.proto == flowev.ProtoOther || t.proto == flowev.ProtoSCTP {
			return tuple{}, fmt.Errorf("proto: %s has no connections here", t.proto)
		}
	}
	bare := t.proto == flowev.ProtoICMP || t.proto == flowev.ProtoICMP6
	for _, f := range fields {
		var err error
		switch f.Key {
		case "proto":
		case "client":
			err = setEnd(&t.client, f.Value, bare)
		case "server":
			err = setEnd(&t.server, f.Value, bare)
		case "icmp_id":
			err = plain.SetUint(&t.id, f.Value)
			hasID = true
		default:
			err = errors.New("proto, client, server or icmp_id expected")
		}
		if err != nil {
			return tuple{}, fmt.Errorf("%s: %w", f.Key, err)
		}
	}
	if bare && !hasID || !bare && t.id != 0 {
		return tuple{}, errors.New("icmp_id belongs to icmp and icmp6, and they need it")
	}
	return t, nil
}

// setEnd reads an end: an endpoint or a peer; a bare one is an address, at which a port may stand that
// does not count.
func setEnd(dst *netip.AddrPort, value any, bare bool) error {
	end := *dst
	switch v := value.(type) {
	case flowev.Peer:
		end = v.Endpoint()
	case string:
		if addr, err := netip.ParseAddr(v); err == nil && bare {
			end = netip.AddrPortFrom(addr, 0)
			break
		}
		if err := plain.SetEndpoint(&end, v); err != nil {
			return err
		}
	default:
		return plain.SetEndpoint(&end, v)
	}
	if bare {
		end = netip.AddrPortFrom(end.Addr(), 0)
	}
	*dst = netip.AddrPortFrom(wireForm(end.Addr()), end.Port())
	return nil
}

// wireForm returns an address as packets have it: IPv4 is not mapped into IPv6, and there are no zones.
func wireForm(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// addrOf returns an address as keys are made of it.
func addrOf(a netip.Addr) (b packet.Addr) {
	copy(b[:], a.AsSlice())
	return b
}
