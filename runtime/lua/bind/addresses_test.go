package bind

import (
	"net/netip"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// TestAddresses reads more addresses than are kept, of both versions, and those
// that were read last once more.
func TestAddresses(t *testing.T) {
	t.Parallel()
	var table Addresses
	if table.address(netip.Addr{}) != lua.LNil || len(table.slots) != 0 {
		t.Error("no address has a text")
	}
	at := func(i int) netip.Addr {
		if i%3 == 0 {
			return netip.AddrFrom16([16]byte{0: 0xfd, 13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)})
		}
		return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
	}
	for _, n := range []int{10, 1000, 3 * maxAddresses} {
		for range 2 {
			for i := range n {
				if got := table.address(at(i)); got != lua.LString(at(i).String()) {
					t.Fatalf("%v is %v", at(i), got)
				}
			}
		}
	}
	if len(table.slots) != maxAddresses || table.n > maxAddresses {
		t.Errorf("%d addresses in %d slots", table.n, len(table.slots))
	}
	zone := netip.MustParseAddr("fe80::1%eth0")
	if table.address(zone) == table.address(zone.WithZone("")) {
		t.Error("a zone does not count")
	}
}

// TestAddressesAllocateNothing reads addresses again.
func TestAddressesAllocateNothing(t *testing.T) {
	var table Addresses
	read := func() {
		for i := range 20_000 {
			table.address(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
		}
	}
	read()
	if n := testing.AllocsPerRun(5, read); n > 2 {
		t.Errorf("%v allocations in 20000 reads", n)
	}
}
