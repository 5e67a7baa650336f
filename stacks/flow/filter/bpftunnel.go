package filter

import "golang.org/x/net/bpf"

// enter generates code that sets the registers of a tunnel.
func (g *blockMaker) enter(t *tunnel) {
	begin := t.ip.at + udpHeader
	switch {
	case !t.v6:
		g.setX(offset{known: true, behindIPv4: true, reg: t.ip.reg, ipAt: t.ip.at})
		g.emit(bpf.TXA{}, bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: begin})
	case t.ip.reg != noRegister:
		g.emit(bpf.LoadScratch{Dst: bpf.RegA, N: g.word(t.ip.reg)},
			bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: begin + ipv6Header})
	default:
		g.emit(bpf.LoadConstant{Dst: bpf.RegA, Val: begin + ipv6Header})
	}
	store := func(reg int8) bpf.Instruction { return bpf.StoreScratch{Src: bpf.RegA, N: int(reg)} }
	add := func(n uint32) bpf.Instruction { return bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: n} }
	if t.geneve {
		g.emit(bpf.TAX{}, add(2), store(t.proto),
			bpf.LoadIndirect{Size: 1},
			bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0x3f},
			bpf.ALUOpConstant{Op: bpf.ALUOpShiftLeft, Val: 2},
			add(geneveHeader), bpf.ALUOpX{Op: bpf.ALUOpAdd}, store(t.link), store(t.body),
			bpf.LoadIndirect{Off: 2, Size: 2},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: typeTEB, SkipFalse: 5},
			bpf.LoadScratch{Dst: bpf.RegA, N: int(t.link)})
	} else {
		g.emit(add(vxlanHeader), store(t.link))
	}
	g.emit(add(ethernetHeader-2), store(t.proto), add(2), store(t.body))
	g.a, g.x = unknown, offset{}
	g.saved |= 1<<t.link | 1<<t.proto | 1<<t.body
}

// maxChained is how many extension headers a BPF program looks behind.
const maxChained = 16

// chain generates a search behind extension headers, which leaves in A the
// protocol where it ends. BPF has no loops, so there is one copy for each header.
// A search that has ended goes through the copies that are left.
func (g *blockMaker) chain(t *term) {
	proto, start := g.chainStart(t)
	next := int(g.registers) + g.scratch
	is := func(num uint32, yes, no uint8) bpf.Instruction {
		return bpf.JumpIf{Cond: bpf.JumpEqual, Val: num, SkipTrue: yes, SkipFalse: no}
	}
	behind := func(more, unit uint32) []bpf.Instruction {
		return []bpf.Instruction{
			bpf.LoadIndirect{Off: t.at, Size: 1},
			bpf.StoreScratch{Src: bpf.RegA, N: next},
			bpf.LoadIndirect{Off: t.at + 1, Size: 1},
			bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: more},
			bpf.ALUOpConstant{Op: bpf.ALUOpMul, Val: unit},
		}
	}
	var turn []bpf.Instruction
	if t.behindIPv4 {
		turn = append(turn, is(t.mask, 9, 0), is(protoAH, 0, 8))
	} else {
		turn = append(turn, is(t.mask, 19, 0), is(protoAH, 10, 0), is(protoFragment, 3, 0),
			is(protoRouting, 2, 0), is(protoDestOpts, 1, 0), is(protoHopByHop, 0, 14))
		turn = append(turn, behind(1, 8)...)
		turn = append(turn, bpf.Jump{Skip: 5})
	}
	turn = append(turn, behind(2, 4)...)
	turn = append(turn, bpf.ALUOpX{Op: bpf.ALUOpAdd}, bpf.TAX{}, bpf.LoadScratch{Dst: bpf.RegA, N: next})

	g.emit(proto, start)
	for range maxChained {
		g.emit(turn...)
	}
	g.x = offset{}
}

// chainStart loads the first protocol into A, and into X where its header is.
func (g *blockMaker) chainStart(t *term) (a, x bpf.Instruction) {
	if t.behindIPv4 {
		return bpf.LoadAbsolute{Off: t.at + 9, Size: 1}, bpf.LoadMemShift{Off: t.at}
	}
	return bpf.LoadAbsolute{Off: t.at + 6, Size: 1}, bpf.LoadConstant{Dst: bpf.RegX, Val: ipv6Header}
}
