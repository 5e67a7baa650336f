package sip

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// TestWayBack is RFC 3261, 18.2, and RFC 3581: what is added to Via, and where replies go.
func TestWayBack(t *testing.T) {
	t.Parallel()
	udp, tcp := sipev.TransportUDP, sipev.TransportTCP
	for _, row := range []struct {
		via   string
		proto sipev.Transport
		from  string
		added string
		to    string
	}{
		{"SIP/2.0/UDP 192.0.2.1", udp, "192.0.2.1:5060", "SIP/2.0/UDP 192.0.2.1;b", "192.0.2.1:5060"},
		{"SIP/2.0/UDP 192.0.2.1:5070", udp, "192.0.2.1:40000", "SIP/2.0/UDP 192.0.2.1:5070;b", "192.0.2.1:5070"},
		{"SIP/2.0/UDP 10.0.0.1:5070", udp, "192.0.2.1:40000", "SIP/2.0/UDP 10.0.0.1:5070;b;received=192.0.2.1", "192.0.2.1:5070"},
		{"SIP/2.0/UDP host.example", udp, "192.0.2.1:40000", "SIP/2.0/UDP host.example;b;received=192.0.2.1", "192.0.2.1:5060"},
		{"SIP/2.0/UDP 10.0.0.1;rport", udp, "192.0.2.1:40000", "SIP/2.0/UDP 10.0.0.1;rport=40000;b;received=192.0.2.1", "192.0.2.1:40000"},
		{"SIP/2.0/UDP 192.0.2.1;rport", udp, "192.0.2.1:5060", "SIP/2.0/UDP 192.0.2.1;rport=5060;b;received=192.0.2.1", "192.0.2.1:5060"},
		{"SIP/2.0/UDP [2001:db8::1]:5062", udp, "[2001:db8::1]:40000", "SIP/2.0/UDP [2001:db8::1]:5062;b", "[2001:db8::1]:5062"},
		{"SIP/2.0/UDP [2001:db8::2];rport", udp, "[2001:db8::1]:40000", "SIP/2.0/UDP [2001:db8::2];rport=40000;b;received=2001:db8::1", "[2001:db8::1]:40000"},
		{"SIP/2.0/UDP 192.0.2.1;received=203.0.113.9;rport=9", udp, "192.0.2.1:40000", "SIP/2.0/UDP 192.0.2.1;received=192.0.2.1;rport=40000;b", "192.0.2.1:40000"},
		{"SIP/2.0/UDP 10.0.0.1:5070;Received = 203.0.113.9", udp, "192.0.2.1:40000", "SIP/2.0/UDP 10.0.0.1:5070;Received=192.0.2.1;b", "192.0.2.1:5070"},
		{"SIP/2.0/UDP 10.0.0.1;received;rport", udp, "192.0.2.1:40000", "SIP/2.0/UDP 10.0.0.1;received=192.0.2.1;rport=40000;b", "192.0.2.1:40000"},
		{"SIP/2.0/TCP 10.0.0.1:5070", tcp, "192.0.2.1:40000", "SIP/2.0/TCP 10.0.0.1:5070;b;received=192.0.2.1", "192.0.2.1:40000"},
	} {
		r := newRig(t, nil)
		text := strings.Replace(dialogRequest("OPTIONS", 1, "x", ""), "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx;rport", row.via+";branch=z9hG4bKx", 1)
		from := Hop{Proto: row.proto, Remote: netip.MustParseAddrPort(row.from), Conn: uint64(row.proto) - 1}
		r.stack.Receive(from, []byte(text))
		tx := r.stack.Find(1)
		if tx == nil {
			t.Fatalf("%s: no transaction: %v", row.via, r.log)
		}
		v := tx.view().Values(msg.ViaName)
		v.Next()
		if got := strings.Replace(string(v.Value()), ";branch=z9hG4bKx", ";b", 1); got != row.added {
			t.Errorf("%s from %s: Via is %s, want %s", row.via, row.from, got, row.added)
		}
		if tx.back.Remote.String() != row.to || tx.back.Conn != from.Conn {
			t.Errorf("%s from %s: replies go to %v", row.via, row.from, tx.back)
		}
		// A stateless reply, such as one that came too late, takes the same way.
		via, err := msg.ParseVia(v.Value())
		if hop, ok := viaHop(&via); err != nil || !ok || row.proto == udp && hop.Remote.String() != row.to {
			t.Errorf("%s from %s: by Via alone replies go to %v, %v", row.via, row.from, hop, err)
		}
	}
}
