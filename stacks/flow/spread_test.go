package flow

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"golang.org/x/net/bpf"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/flow/packet"
	"github.com/hookd/hookd/stacks/flow/packet/packettest"
)

// TestSpreadProgram checks that the program gives what the stacks are chosen by, for
// every packet that is nothing special, and the same for all that is between two
// hosts where it is.
func TestSpreadProgram(t *testing.T) {
	t.Parallel()
	vm, err := bpf.NewVM(spreadProgram(inPacket{0}, packet.TunnelPorts()))
	if err != nil {
		t.Fatal(err)
	}
	spread := func(frame []byte) uint32 {
		t.Helper()
		n, err := vm.Run(frame[14:]) // the kernel counts from the IP header too
		if err != nil {
			t.Fatal(err)
		}
		return uint32(n)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	addr := func(v6 bool) netip.Addr {
		var b [16]byte
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		if v6 {
			b[0] = 0x20
			return netip.AddrFrom16(b)
		}
		return netip.AddrFrom4([4]byte(b[:4]))
	}
	for i := range 2000 {
		a, b := netip.AddrPortFrom(addr(i%2 == 0), uint16(rng.Uint32())|1<<15), netip.AddrPortFrom(addr(i%2 == 0), uint16(1+i%1000))
		for _, frame := range [][]byte{
			packettest.UDP(a, b, "x"), packettest.UDP(b, a, "x"),
			packettest.TCP(a, b, 1, 0, packet.SYN, ""), packettest.TCP(b, a, 1, 0, packet.ACK, "x"),
		} {
			var p packet.Packet
			p.Decode(1, frame, len(frame), 0)
			k, _ := keyOf(&p)
			if got, want := spread(frame), k.spread(); got != want {
				t.Fatalf("%s %s: the program gives %x, the key %x", a, b, got, want)
			}
		}
		other := netip.AddrPortFrom(b.Addr(), 4789)
		want := spread(packettest.IP(a.Addr(), b.Addr(), 47, "gre"))
		for _, frame := range [][]byte{
			packettest.UDP(a, other, "x"), packettest.UDP(other, a, "x"),
			packettest.IP(b.Addr(), a.Addr(), 17, "12345678", packettest.Piece(7, 0, true)),
			packettest.IP(a.Addr(), b.Addr(), 17, "12345678", packettest.Piece(7, 8, false)),
		} {
			if got := spread(frame); got != want {
				t.Fatalf("%s %s: %x for %x, %x for another packet", a.Addr(), b.Addr(), got, frame, want)
			}
		}
	}
	if got := spread(make([]byte, 60)); got != 0 {
		t.Errorf("%x for what is no IP", got)
	}
	front := NewFront(event.NewShards(2, event.Apart, 0), Config{})
	if prog, err := front.SpreadProgram(); err != nil || len(prog) > 128 {
		t.Errorf("%d instructions, %v", len(prog), err)
	}
}
