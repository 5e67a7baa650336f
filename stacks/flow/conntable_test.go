package flow

import (
	"math/rand/v2"
	"testing"

	"github.com/hookd/hookd/stacks/flow/packet"
)

// TestConnTable does what a map does, for many keys, through growth and removal.
func TestConnTable(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	table := newTable((*Conn).tableKey)
	want := map[key]*Conn{}
	var all []key
	for i := range 200_000 {
		var k key
		if len(all) > 0 && r.IntN(2) == 0 {
			k = all[r.IntN(len(all))]
		} else {
			k = key{low: [2]uint64{r.Uint64N(3), 0}, high: [2]uint64{r.Uint64N(50), r.Uint64N(50)}, rest: r.Uint64N(4)}
			all = append(all, k)
		}
		got, hash := table.find(&k)
		if got != want[k] {
			t.Fatalf("step %d: found %p, want %p", i, got, want[k])
		}
		switch {
		case got != nil:
			table.remove(got.hash, got)
			delete(want, k)
		default:
			c := &Conn{key: k, hash: hash}
			table.insert(hash, c)
			want[k] = c
		}
		if table.n != len(want) {
			t.Fatalf("step %d: %d connections, want %d", i, table.n, len(want))
		}
	}
	if len(want) < minSlots*2 {
		t.Fatalf("only %d connections: the table never grew", len(want))
	}
	for k, c := range want {
		if got, _ := table.find(&k); got != c {
			t.Fatal("a connection got lost")
		}
	}
}

// TestKeyOf gives both directions the same key.
func TestKeyOf(t *testing.T) {
	t.Parallel()
	p := packet.Packet{IPVersion: 4, SrcPort: 1, DstPort: 2}
	p.Src, p.Dst = packet.Addr{10, 0, 0, 1}, packet.Addr{9, 255, 0, 1}
	q := p
	q.Src, q.Dst, q.SrcPort, q.DstPort = p.Dst, p.Src, p.DstPort, p.SrcPort
	k1, low1 := keyOf(&p)
	k2, low2 := keyOf(&q)
	if k1 != k2 || low1 == low2 {
		t.Errorf("%v %v, %v %v", k1, low1, k2, low2)
	}
	a, port, version := k1.endpoint(low1)
	if a != p.Src || port != 1 || version != 4 {
		t.Errorf("source %v %d %d", a, port, version)
	}
	q = p
	q.IPVersion = 6
	if k, _ := keyOf(&q); k == k1 {
		t.Error("IPv4 and IPv6 share a key")
	}
}

// TestCommunityID uses an example of the specification's reference implementation in both directions,
// and one of IPv6 worked out apart.
func TestCommunityID(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		p    packet.Packet
		want string
	}{
		{packet.Packet{IPVersion: 4, Src: packet.Addr{128, 232, 110, 120}, Dst: packet.Addr{66, 35, 250, 204}, SrcPort: 34855, DstPort: 80}, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		{packet.Packet{IPVersion: 4, Src: packet.Addr{66, 35, 250, 204}, Dst: packet.Addr{128, 232, 110, 120}, SrcPort: 80, DstPort: 34855}, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		{packet.Packet{IPVersion: 6, Src: packet.Addr{0x20, 1, 0xd, 0xb8, 15: 1}, Dst: packet.Addr{0x20, 1, 0xd, 0xb8, 15: 2}, SrcPort: 40000, DstPort: 443}, "1:RYG3Msb11GthNt1OYXJouPzmrvA="},
	} {
		k, _ := keyOf(&c.p)
		if got := communityID(protoTCP, &k, k.port(true), k.port(false)); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}
