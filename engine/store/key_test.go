package store

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"

	"github.com/hookd/hookd/engine/record"
)

func TestParse(t *testing.T) {
	t.Parallel()
	rows := []struct {
		typ      KeyType
		in, want string // want: the key, or what the error has
		ok       bool
	}{
		{KeyIP, "10.0.0.1", "10.0.0.1", true},
		{KeyIP, "::ffff:10.0.0.1", "10.0.0.1", true},
		{KeyIP, "2001:DB8::1", "2001:db8::1", true},
		{KeyIP, "::", "::", true},
		{KeyIP, "10.0.0", `"10.0.0" is no ip key (an address like`, false},
		{KeyIP, "10.0.0.1:5060", "is no ip key", false},
		{KeyIP, "fe80::1%eth0", "an address with a zone", false},
		{KeyIP, "", `"" is no ip key`, false},
		{KeyCIDR, "10.1.2.3/8", "10.0.0.0/8", true},
		{KeyCIDR, "10.1.2.3", "10.1.2.3", true},
		{KeyCIDR, "::ffff:10.1.2.3/104", "10.0.0.0/8", true},
		{KeyCIDR, "::ffff:10.1.2.3/95", "96 bits", false},
		{KeyCIDR, "::/0", "::/0", true},
		{KeyCIDR, "0.0.0.0/0", "0.0.0.0/0", true},
		{KeyCIDR, "10.0.0.0/33", "out of range", false},
		{KeyCIDR, "10.0.0.0/", "is no cidr key", false},
		{KeyCIDR, "fe80::1%eth0/64", "zone", false},
		{KeyEndpoint, "10.0.0.1:5060", "10.0.0.1:5060", true},
		{KeyEndpoint, "[::1]:5060", "[::1]:5060", true},
		{KeyEndpoint, "[::ffff:1.2.3.4]:1", "1.2.3.4:1", true},
		{KeyEndpoint, "10.0.0.1", "is no endpoint key", false},
		{KeyEndpoint, "10.0.0.1:65536", "is no endpoint key", false},
		{KeyEndpoint, "[fe80::1%lo]:1", "zone", false},
		{KeyNumber, "5060", "5060", true},
		{KeyNumber, "-0", "0", true},
		{KeyNumber, "1e3", "1000", true},
		{KeyNumber, "nan", "not a number", false},
		{KeyNumber, "1e999", "value out of range", false},
		{KeyNumber, "x", "invalid syntax", false},
		{KeyString, "a b", "a b", true},
		{KeyString, "", "", true},
		{KeyAny, "7", "7", true},
		{KeyString, strings.Repeat("x", 4097), "longer than 4096 bytes", false},
	}
	for _, row := range rows {
		k, err := row.typ.Parse(row.in)
		if (err == nil) != row.ok {
			t.Errorf("%v %.40q: %v, %v", row.typ, row.in, k, err)
			continue
		}
		if row.ok && k.String() != row.want {
			t.Errorf("%v %q is %v, want %s", row.typ, row.in, k, row.want)
		}
		if !row.ok && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%v %.40q: %v, want %s", row.typ, row.in, err, row.want)
		}
	}
}

func TestKeyForms(t *testing.T) {
	t.Parallel()
	addr, mapped := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("::ffff:10.0.0.1%eth1")
	if AddrKey(addr) != AddrKey(mapped) || AddrKey(mapped).Addr() != addr {
		t.Error("a mapped address is another key")
	}
	if got := EndpointKey(netip.AddrPortFrom(mapped, 80)).Endpoint(); got != netip.AddrPortFrom(addr, 80) {
		t.Errorf("endpoint %v", got)
	}
	if got := AddrKey(addr).Prefix(); got != netip.MustParsePrefix("10.0.0.1/32") {
		t.Errorf("host prefix %v", got)
	}
	for _, k := range []Key{
		NumberKey(math.NaN()), AddrKey(netip.Addr{}), PrefixKey(netip.Prefix{}), EndpointKey(netip.AddrPort{}), {},
	} {
		if k.IsValid() || k != (Key{}) || !k.Value().IsNil() || k.String() != "no key" {
			t.Errorf("%v is a key", k)
		}
	}
	if NumberKey(math.Copysign(0, -1)) != NumberKey(0) {
		t.Error("-0 is another key than 0")
	}
	distinct := map[Key]string{}
	for _, k := range []Key{
		StringKey("1"), NumberKey(1), BoolKey(true), StringKey(""), NumberKey(0), BoolKey(false),
		AddrKey(netip.MustParseAddr("::")), AddrKey(netip.MustParseAddr("0.0.0.0")),
		PrefixKey(netip.MustParsePrefix("::/0")), PrefixKey(netip.MustParsePrefix("0.0.0.0/0")),
		PrefixKey(netip.MustParsePrefix("10.0.0.1/32")), AddrKey(addr),
		EndpointKey(netip.AddrPortFrom(addr, 0)), EndpointKey(netip.AddrPortFrom(addr, 1)),
	} {
		if other, twice := distinct[k]; twice {
			t.Errorf("%v is the same key as %s", k, other)
		}
		distinct[k] = k.describe()
	}
	if s, ok := StringKey("x").Text(); s != "x" || !ok {
		t.Errorf("text %q %v", s, ok)
	}
	if f, ok := NumberKey(2.5).Number(); f != 2.5 || !ok {
		t.Errorf("number %v %v", f, ok)
	}
	if b, ok := BoolKey(true).Bool(); !b || !ok {
		t.Errorf("boolean %v %v", b, ok)
	}
}

func TestStoreKey(t *testing.T) {
	t.Parallel()
	rows := []struct {
		typ  KeyType
		in   record.Value
		want string
	}{
		{KeyIP, record.String("10.0.0.1"), "10.0.0.1"},
		{KeyIP, record.Number(5), `store "x": a key is an address like "10.0.0.1" or "2001:db8::1", not the number 5`},
		{KeyIP, record.Value{}, `store "x": a key is an address like "10.0.0.1" or "2001:db8::1", not nil`},
		{KeyCIDR, record.String("ten"), `store "x": "ten" is no cidr key (a prefix like "10.0.0.0/8" or an address): unable to parse IP`},
		{KeyString, record.Number(5), `store "x": a key is a string, not the number 5`},
		{KeyString, record.Bool(true), `store "x": a key is a string, not the boolean true`},
		{KeyNumber, record.String("5"), `store "x": a key is a number, not the string "5"`},
		{KeyNumber, record.Number(5), "5"},
		{KeyNumber, record.Number(math.NaN()), `store "x": a key is a number, not the number NaN`},
		{KeyAny, record.Bool(true), "true"},
		{KeyAny, record.FromTable(record.NewRoot("t", new(record.Limits)).Table()), `store "x": a key is a string, number or boolean, not a table`},
	}
	for _, row := range rows {
		s := newStore(Config{Name: "x", Key: row.typ}, nil)
		k, err := s.Key(row.in)
		got := k.String()
		if err != nil {
			got = err.Error()
		}
		if got != row.want {
			t.Errorf("%v %v: %s, want %s", row.typ, row.in, got, row.want)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for i := range keyTypes {
		if got, err := ParseKeyType(KeyType(i).String()); err != nil || got != KeyType(i) {
			t.Errorf("key type %d: %v %v", i, got, err)
		}
	}
	for i := range kinds {
		if got, err := ParseKind(Kind(i).String()); err != nil || got != Kind(i) {
			t.Errorf("kind %d: %v %v", i, got, err)
		}
	}
	for i := range evicts {
		if got, err := ParseEvict(Evict(i).String()); err != nil || got != Evict(i) {
			t.Errorf("evict %d: %v %v", i, got, err)
		}
	}
	_, err := ParseKeyType("addr")
	if want := `unknown key type "addr": one of any, string, number, ip, cidr, endpoint`; fmt.Sprint(err) != want {
		t.Errorf("%v, want %s", err, want)
	}
	if _, err := ParseKind("list"); err == nil {
		t.Error("ParseKind takes anything")
	}
	if _, err := ParseEvict("lru"); err == nil {
		t.Error("ParseEvict takes anything")
	}
}

// What parses comes back from its text, and from what a script sees of it.
func FuzzParseKey(f *testing.F) {
	for _, s := range []string{
		"10.0.0.1", "::ffff:10.0.0.1", "2001:db8::/32", "::ffff:0:0/96", "0.0.0.0/0", "10.9.9.9/9",
		"[::1]:80", "1.2.3.4:65535", "fe80::1%eth0", "-0", "1e-300", "inf", "0x1p-2", "nan", "true", "a\xffb", "",
	} {
		for typ := range keyTypes {
			f.Add(uint8(typ), s)
		}
	}
	f.Fuzz(func(t *testing.T, typ uint8, s string) {
		kt := KeyType(typ % uint8(len(keyTypes)))
		k, err := kt.Parse(s)
		if err != nil {
			if k.IsValid() {
				t.Fatalf("a key beside the error %v", err)
			}
			return
		}
		if !kt.admits(k) {
			t.Fatalf("%v parsed %q to %s", kt, s, k.describe())
		}
		again, err := kt.Parse(k.String())
		if err != nil || again != k {
			t.Fatalf("%v %q is %v and comes back as %v, %v", kt, s, k, again, err)
		}
		if back, err := kt.fromScalar(k.Value()); err != nil || back != k {
			t.Fatalf("%v %v as a scalar comes back as %v, %v", kt, k, back, err)
		}
		if kt == KeyCIDR {
			checkPrefix(t, k)
		}
	})
}

func checkPrefix(t *testing.T, k Key) {
	t.Helper()
	p := k.Prefix()
	if !p.IsValid() || p != p.Masked() || p.Addr().Is4In6() {
		t.Fatalf("prefix %v", p)
	}
	if k.form == formAddr && PrefixKey(p) != k.host() {
		t.Fatalf("%v has the host prefix %v", k, k.host())
	}
}
