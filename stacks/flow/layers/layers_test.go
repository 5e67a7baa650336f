package layers_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/flow/layers"
	"github.com/hookd/hookd/stacks/flow/packet"
	pt "github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// get returns the value of a field of a layer.
func get(t *testing.T, layer any, key string) any {
	t.Helper()
	for _, kv := range layer.([]event.KV) {
		if kv.Key == key {
			return kv.Value
		}
	}
	t.Fatalf("no field %s in %v", key, layer)
	return nil
}

func names(t *testing.T, list []any) string {
	t.Helper()
	var all []string
	for _, l := range list {
		all = append(all, get(t, l, "name").(string))
	}
	return strings.Join(all, " ")
}

var (
	client = netip.MustParseAddrPort("10.0.0.1:4000")
	server = netip.MustParseAddrPort("10.0.0.2:53")
)

func TestDecode(t *testing.T) {
	t.Parallel()
	query := "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01"
	raw := pt.TCP(client, server, 1, 0, packet.SYN, "", pt.Link(packet.LinkRaw))
	for _, tt := range []struct {
		name  string
		link  uint16
		frame []byte
		ip    int
		want  string
	}{
		{"DNS in a VLAN", 1, pt.UDP(client, server, query, pt.VLAN(7)), 18, "Ethernet Dot1Q IPv4 UDP DNS"},
		{"raw IP", packet.LinkRaw, raw, 0, "IPv4 TCP"},
		{"raw IP of OpenBSD", packet.LinkRawOBSD, raw, 0, "IPv4 TCP"},
		{"an unknown link with IP", 9999, append([]byte("????"), raw...), 4, "IPv4 TCP"},
		{"an unknown link without", 9999, raw, 0, ""},
		{"nothing", 1, nil, 0, "DecodeFailure"},
		{"cut", 1, pt.TCP(client, server, 1, 0, packet.SYN, "")[:40], 14, "Ethernet IPv4 TCP DecodeFailure"},
		{"a tunnel", 1, pt.VXLAN(client, netip.MustParseAddrPort("10.0.0.2:4789"), 5, pt.Echo(client.Addr(), server.Addr(), "x")), 14, "Ethernet IPv4 UDP VXLAN Ethernet IPv4 ICMPv4 Payload"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := names(t, layers.Decode(tt.link, tt.frame, tt.ip)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestFields reads fields of several kinds: numbers, addresses, lists of structs, text.
func TestFields(t *testing.T) {
	t.Parallel()
	query := "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01"
	list := layers.Decode(1, pt.UDP(client, server, query), 14)
	dns := list[len(list)-1]
	question := get(t, dns, "questions").([]any)[0]
	for i, tt := range []struct{ got, want any }{
		{get(t, list[0], "src_mac"), "02:00:00:00:00:01"},
		{get(t, list[1], "src_ip"), "10.0.0.1"},
		{get(t, list[2], "dst_port"), 53.0},
		{get(t, list[2], "payload_len"), float64(len(query))},
		{get(t, dns, "id"), float64(0x1234)},
		{get(t, dns, "rd"), true},
		{get(t, question, "name"), "example.com"},
		{get(t, list[len(list)-2], "len"), 8.0},
	} {
		if tt.got != tt.want {
			t.Errorf("%d: got %v, want %v", i, tt.got, tt.want)
		}
	}
	if text := get(t, layers.Decode(1, nil, 0)[0], "error").(string); text == "" {
		t.Error("a failure says nothing")
	}
}

// TestBounds decodes what claims more than anybody wants to read.
func TestBounds(t *testing.T) {
	t.Parallel()
	labels := make([]uint32, 5000)
	deep := pt.TCP(client, server, 1, 0, packet.SYN, "", pt.MPLS(labels...))
	if n := len(layers.Decode(1, deep, 14)); n != layers.MaxLayers {
		t.Errorf("%d layers", n)
	}
	long := layers.Decode(1, pt.UDP(client, netip.MustParseAddrPort("10.0.0.2:9"), strings.Repeat("x", 5000)), 14)
	for _, l := range long {
		for _, kv := range l.([]event.KV) {
			if s, ok := kv.Value.(string); ok && len(s) > layers.MaxBytes {
				t.Errorf("%s has %d bytes", kv.Key, len(s))
			}
		}
	}
}

// FuzzDecode checks that no bytes break the decoder, and that what comes out is plain data in bounds.
func FuzzDecode(f *testing.F) {
	f.Add(uint16(1), pt.TCP(client, server, 1, 0, packet.SYN, "x", pt.MSS(1), pt.VLAN(1, 2)))
	f.Add(uint16(1), pt.GTPU(client, netip.MustParseAddrPort("10.0.0.2:2152"), 9, pt.TCP(client, server, 1, 2, 0, "x", pt.Link(packet.LinkRaw)), [][]byte{{0x85, 0x10, 0x09}}))
	f.Add(uint16(105), []byte("\x80\x00\x00\x00\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x01\x00\x00"))
	f.Add(uint16(276), []byte("\x08\x00\x00\x00\x00\x00\x00\x01\x00\x01\x00\x06\x02\x00\x00\x00\x00\x01\x00\x00"))
	f.Fuzz(func(t *testing.T, link uint16, data []byte) {
		left := 3 * 4096
		for _, l := range layers.Decode(link, data, 0) {
			walk(t, l, &left)
		}
	})
}

// walk checks one plain value.
func walk(t *testing.T, v any, left *int) {
	if *left--; *left < 0 {
		t.Fatal("too many values")
	}
	switch v := v.(type) {
	case bool, float64:
	case string:
		if len(v) > layers.MaxBytes {
			t.Fatalf("%d bytes", len(v))
		}
	case []any:
		if len(v) > layers.MaxList {
			t.Fatalf("%d items", len(v))
		}
		for _, item := range v {
			walk(t, item, left)
		}
	case []event.KV:
		for _, kv := range v {
			walk(t, kv.Value, left)
		}
	default:
		t.Fatalf("%T", v)
	}
}
