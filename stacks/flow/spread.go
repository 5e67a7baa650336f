package flow

import (
	"math/bits"

	"golang.org/x/net/bpf"

	"github.com/hookd/hookd/stacks/flow/packet"
)

// Factors of the mixing below: odd, with bits spread (those of MurmurHash3 and the golden ratio).
const (
	mixAddrs = 0x9e3779b1
	mixPorts = 0x85ebca6b
	mixAll   = 0xc2b2ae35
)

// spread mixes the addresses and ports of k; the protocol does not count, and neither does which end is
// which. Which stack has a connection depends on it alone. It is made of what a classic BPF program can
// do too: see [Front.SpreadProgram].
func (k *key) spread() uint32 {
	words := k.low[0] ^ k.low[1] ^ k.high[0] ^ k.high[1]
	addrs := bits.ReverseBytes32(uint32(words) ^ uint32(words>>32))
	return mix(addrs, k.port(true)^k.port(false))
}

// mix mixes the ends' addresses, folded together, and their ports.
func mix(addrs uint32, ports uint16) uint32 {
	h := addrs*mixAddrs + uint32(ports)*mixPorts
	h ^= h >> 15
	h *= mixAll
	return h ^ h>>13
}

// inPacket is where a BPF program finds what it loads: at, the place of the IP header, where the fields
// of the other offsets are.
type inPacket struct{ at uint32 }

func (o inPacket) load(off uint32, size int) bpf.Instruction {
	return bpf.LoadAbsolute{Off: o.at + off, Size: size}
}

// behind loads at an offset behind X, which is a place behind the IP header's beginning.
func (o inPacket) behind(off uint32, size int) bpf.Instruction {
	return bpf.LoadIndirect{Off: o.at + off, Size: size}
}

// fromNetwork is SKF_NET_OFF (linux/filter.h): the kernel then counts from the network header,
// whichever layer the packet begins with, where a fan-out looks at it.
const fromNetwork = 0xfff00000

// SpreadProgram returns a classic BPF program for PACKET_FANOUT_CBPF which gives, modulo the number of
// stacks, the one that has the connection of a packet: so that what an interface has is read by the
// goroutine of its shard. For fragments, and for what looks like a tunnel where those are entered, it
// mixes the addresses only, so that all such packets between two hosts come to one reader in their
// order; for what is no IP it gives 0. Where it gives another stack than the one that has the
// connection, whoever reads the packet hands it over ([Front.Sort] decides): the program saves that
// work and no more.
func (f *Front) SpreadProgram() ([]bpf.RawInstruction, error) {
	var tunnels []uint16
	if f.cfg.Decap != 0 {
		tunnels = packet.TunnelPorts()
	}
	return bpf.Assemble(spreadProgram(inPacket{fromNetwork}, tunnels))
}

// Where the program keeps what it found.
const (
	scratchAddrs = iota
	scratchPorts
)

func spreadProgram(o inPacket, tunnels []uint16) []bpf.Instruction {
	v4 := append(o.addrs(12, 8),
		// A fragment has no ports, or its others have none.
		o.load(6, 2),
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: 0x3fff, SkipTrue: 8},
		o.load(9, 1),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: protoTCP, SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: protoUDP, SkipTrue: 5},
		o.load(0, 1),
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xf},
		bpf.ALUOpConstant{Op: bpf.ALUOpShiftLeft, Val: 2},
		bpf.TAX{},
		bpf.Jump{Skip: 1},
		bpf.Jump{}, // to the mixing
	)
	v6 := append(o.addrs(8, 32),
		o.load(6, 1),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: protoTCP, SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: protoUDP, SkipTrue: 2},
		bpf.LoadConstant{Dst: bpf.RegX, Val: 40},
		bpf.Jump{Skip: 1},
		bpf.Jump{}, // to the mixing
	)
	ports, mix := o.ports(tunnels), mixing()
	v4[len(v4)-1] = bpf.Jump{Skip: uint32(len(v6) + len(ports))}
	v4[len(v4)-2] = bpf.Jump{Skip: uint32(1 + len(v6))}
	v6[len(v6)-1] = bpf.Jump{Skip: uint32(len(ports))}
	all := []bpf.Instruction{
		bpf.LoadConstant{Dst: bpf.RegA},
		bpf.StoreScratch{Src: bpf.RegA, N: scratchPorts},
		o.load(0, 1),
		bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 4, SkipTrue: 3},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 6, SkipTrue: 1},
		bpf.RetConstant{},
		bpf.Jump{Skip: uint32(len(v4))},
	}
	all = append(all, v4...)
	all = append(all, v6...)
	all = append(all, ports...)
	return append(all, mix...)
}

// addrs folds n bytes of both addresses into a word.
func (o inPacket) addrs(off, n uint32) []bpf.Instruction {
	list := []bpf.Instruction{o.load(off, 4)}
	for at := uint32(4); at < n; at += 4 {
		list = append(list, bpf.TAX{}, o.load(off+at, 4), bpf.ALUOpX{Op: bpf.ALUOpXor})
	}
	return append(list, bpf.StoreScratch{Src: bpf.RegA, N: scratchAddrs})
}

// ports folds the ports at X, unless one of them is a tunnel's.
func (o inPacket) ports(tunnels []uint16) []bpf.Instruction {
	var list []bpf.Instruction
	end := 2*(1+len(tunnels)) + 6
	for _, off := range []uint32{0, 2} {
		list = append(list, o.behind(off, 2))
		for _, port := range tunnels {
			list = append(list, bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(port), SkipTrue: uint8(end - len(list) - 1)})
		}
	}
	return append(list,
		o.behind(0, 4),
		bpf.TAX{},
		bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 16},
		bpf.ALUOpX{Op: bpf.ALUOpXor},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xffff},
		bpf.StoreScratch{Src: bpf.RegA, N: scratchPorts},
	)
}

// mixing is [key.spread] behind its folding.
func mixing() []bpf.Instruction {
	shifted := func(by uint32) []bpf.Instruction {
		return []bpf.Instruction{bpf.TAX{}, bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: by}, bpf.ALUOpX{Op: bpf.ALUOpXor}}
	}
	list := []bpf.Instruction{
		bpf.LoadScratch{Dst: bpf.RegA, N: scratchPorts},
		bpf.ALUOpConstant{Op: bpf.ALUOpMul, Val: mixPorts},
		bpf.TAX{},
		bpf.LoadScratch{Dst: bpf.RegA, N: scratchAddrs},
		bpf.ALUOpConstant{Op: bpf.ALUOpMul, Val: mixAddrs},
		bpf.ALUOpX{Op: bpf.ALUOpAdd},
	}
	list = append(list, shifted(15)...)
	list = append(list, bpf.ALUOpConstant{Op: bpf.ALUOpMul, Val: mixAll})
	list = append(list, shifted(13)...)
	return append(list, bpf.RetA{})
}
