package netfilter

import (
	"encoding/hex"
	"net/netip"
	"testing"
)

func TestTuple(t *testing.T) {
	t.Parallel()
	a := netip.MustParseAddrPort
	tests := []struct {
		name  string
		tuple Tuple
		key   string
		valid bool
	}{
		{"v4", Tuple{a("10.0.0.1:80"), a("10.0.0.2:1024")}, "0a000001005000000a00000204000000", true},
		{"mapped", Tuple{a("[::ffff:10.0.0.1]:80"), a("[::ffff:10.0.0.2]:1024")}, "0a000001005000000a00000204000000", true},
		{"v6", Tuple{a("[2001:db8::1]:80"), a("[2001:db8::2]:1")}, "20010db80000000000000000000000010050000020010db800000000000000000000000200010000", true},
		{"mixed", Tuple{a("10.0.0.1:80"), a("[2001:db8::2]:1")}, "", false},
		{"no port", Tuple{a("10.0.0.1:0"), a("10.0.0.2:1")}, "", false},
		{"none", Tuple{}, "", false},
	}
	for _, tt := range tests {
		err := tt.tuple.Valid()
		if (err == nil) != tt.valid {
			t.Errorf("%s: valid: %v", tt.name, err)
		}
		if !tt.valid {
			continue
		}
		if got := hex.EncodeToString(tt.tuple.key(nil)); got != tt.key {
			t.Errorf("%s: key is %s, want %s", tt.name, got, tt.key)
		}
	}
}

func TestTupleOfPacket(t *testing.T) {
	t.Parallel()
	head := func(s string) []byte {
		p, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	v4 := "4500002800000000400600000a0000020a000001" + "04000050"
	options := "4600002c00000000400600000a0000020a000001" + "00000000" + "04000050"
	v6 := "60000000001406ff" + "20010db8000000000000000000000002" + "20010db8000000000000000000000001" + "00010050"
	tests := []struct{ name, packet, want string }{
		{"v4", v4, "10.0.0.1:80-10.0.0.2:1024"},
		{"options", options, "10.0.0.1:80-10.0.0.2:1024"},
		{"v6", v6, "[2001:db8::1]:80-[2001:db8::2]:1"},
		{"udp", "4500002800000000401100000a0000020a00000104000050", ""},
		{"short", v4[:46], ""},
		{"header too short", "44" + v4[2:], ""},
		{"v6 with extension", "60000000001400ff" + v6[16:], ""},
		{"arp", "0001", ""},
		{"nothing", "", ""},
	}
	for _, tt := range tests {
		got, ok := tupleOf(head(tt.packet))
		if ok != (tt.want != "") || ok && got.String() != tt.want {
			t.Errorf("%s: %v %v, want %s", tt.name, got, ok, tt.want)
		}
	}
}

func FuzzTupleOf(f *testing.F) {
	f.Add([]byte{0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1, 4, 0, 0, 80})
	f.Add([]byte{0x60})
	f.Fuzz(func(t *testing.T, p []byte) {
		if tuple, ok := tupleOf(p); ok && tuple.Local.Addr().BitLen() != tuple.Remote.Addr().BitLen() {
			t.Errorf("%v", tuple)
		}
	})
}
