package filter

import (
	"errors"

	"golang.org/x/net/bpf"
)

// blockMaker generates the code of one block, and follows what the registers
// hold.
type blockMaker struct {
	*bpfProgram
	*block
	machine
	// scratch is how many memory words above the tunnels' are in use.
	scratch int
	// unset are the words that are read here and may not have been written.
	unset uint16
}

func (g *blockMaker) emit(in ...bpf.Instruction) { g.code = append(g.code, in...) }

// branch generates the code of a branch.
func (g *blockMaker) branch(b *branch) {
	g.yes, g.no = b.yes, b.no
	if b.op == enters {
		g.enter(&g.tunnels[b.k])
		return
	}
	t := &g.terms[b.term]
	g.jumps, g.k = true, b.k
	switch {
	case b.byTerm:
		g.pair(b.term, int32(b.k))
		g.withX = true
	case t.kind == loadTerm && t.mask != allBits && b.op == isEqual && b.k == 0 && g.a != b.term:
		g.bits(b, t)
		return
	default:
		g.compute(b.term)
	}
	g.cond = [...]bpf.JumpTest{isEqual: bpf.JumpEqual, isGreater: bpf.JumpGreaterThan, isAtLeast: bpf.JumpGreaterOrEqual}[b.op]
}

// bits tests whether bits of a load are all 0 without taking them apart.
func (g *blockMaker) bits(b *branch, t *term) {
	g.cond, g.k = bpf.JumpBitsSet, t.mask
	g.yes, g.no = b.no, b.yes
	g.compute(g.term(t.plain()))
}

// compute generates code that puts a term into A, unless it is there.
func (g *blockMaker) compute(id int32) {
	if g.a == id {
		return
	}
	t := g.terms[id]
	switch t.kind {
	case constTerm:
		g.emit(bpf.LoadConstant{Dst: bpf.RegA, Val: t.at})
	case lengthTerm:
		g.emit(bpf.LoadExtension{Num: bpf.ExtLen})
	case regTerm:
		g.emit(bpf.LoadScratch{Dst: bpf.RegA, N: g.word(t.reg)})
	case opTerm:
		g.operate(&t)
	case indexedTerm:
		g.indexed(&t)
	case chainTerm:
		g.chain(&t)
	case loadTerm:
		g.load(&t)
	case familyTerm:
		g.load(&t)
		g.emit(bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: 0xffffff, SkipTrue: 1},
			bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 24})
	}
	g.a = id
}

// load generates a load that keeps what it needs in X there.
func (g *blockMaker) load(t *term) {
	if t.mask == allBits || g.a != g.term(t.plain()) {
		want := offset{known: true, reg: t.reg, behindIPv4: t.behindIPv4, ipAt: t.ipAt}
		switch {
		case t.reg == noRegister && !t.behindIPv4:
			g.emit(bpf.LoadAbsolute{Off: t.at, Size: int(t.size)})
		case g.x == want:
			g.emit(bpf.LoadIndirect{Off: t.at, Size: int(t.size)})
		default:
			g.setX(want)
			g.emit(bpf.LoadIndirect{Off: t.at, Size: int(t.size)})
		}
	}
	if t.mask != allBits {
		g.emit(bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: t.mask})
	}
}

// setX generates code for an offset, which may change A.
func (g *blockMaker) setX(want offset) {
	switch {
	case want.reg == noRegister:
		g.emit(bpf.LoadMemShift{Off: want.ipAt})
	case !want.behindIPv4:
		g.emit(bpf.LoadScratch{Dst: bpf.RegX, N: g.word(want.reg)})
	default:
		g.emit(bpf.LoadScratch{Dst: bpf.RegX, N: g.word(want.reg)},
			bpf.LoadIndirect{Off: want.ipAt, Size: 1},
			bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 15},
			bpf.ALUOpConstant{Op: bpf.ALUOpShiftLeft, Val: 2},
			bpf.ALUOpX{Op: bpf.ALUOpAdd},
			bpf.TAX{})
		g.a = unknown
	}
	g.x = want
}

// word returns the memory word of a tunnel's register, and notes if it may not
// have been written.
func (g *blockMaker) word(reg int8) int {
	g.unset |= 1 << reg &^ g.saved
	return int(reg)
}

// indexed generates a load at a computed offset.
func (g *blockMaker) indexed(t *term) {
	g.compute(t.left)
	switch {
	case t.reg != noRegister && t.behindIPv4:
		index := g.save()
		g.setX(offset{known: true, reg: t.reg, behindIPv4: true, ipAt: t.ipAt})
		g.emit(bpf.LoadScratch{Dst: bpf.RegA, N: index}, bpf.ALUOpX{Op: bpf.ALUOpAdd})
		g.scratch--
	case t.reg != noRegister:
		g.emit(bpf.LoadScratch{Dst: bpf.RegX, N: g.word(t.reg)}, bpf.ALUOpX{Op: bpf.ALUOpAdd})
	case t.behindIPv4:
		if want := (offset{known: true, reg: noRegister, behindIPv4: true, ipAt: t.ipAt}); g.x != want {
			g.emit(bpf.LoadMemShift{Off: t.ipAt})
		}
		g.emit(bpf.ALUOpX{Op: bpf.ALUOpAdd})
	}
	g.emit(bpf.TAX{}, bpf.LoadIndirect{Off: t.at, Size: int(t.size)})
	if t.mask != allBits {
		g.emit(bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: t.mask})
	}
	g.x = offset{}
}

// save puts A into a new memory word, which the caller gives back.
func (g *blockMaker) save() int {
	n := int(g.registers) + g.scratch
	if n >= 16 {
		g.err = errors.New("filter: compile BPF: the arithmetic needs more than BPF's 16 words of memory")
		n = 15
	}
	g.scratch++
	g.emit(bpf.StoreScratch{Src: bpf.RegA, N: n})
	return n
}

var aluOps = map[byte]bpf.ALUOp{
	'+': bpf.ALUOpAdd, '-': bpf.ALUOpSub, '*': bpf.ALUOpMul, '/': bpf.ALUOpDiv, '%': bpf.ALUOpMod,
	'&': bpf.ALUOpAnd, '|': bpf.ALUOpOr, '^': bpf.ALUOpXor, '<': bpf.ALUOpShiftLeft, '>': bpf.ALUOpShiftRight,
}

func (g *blockMaker) operate(t *term) {
	if k, ok := g.constantOf(t.right); ok {
		g.compute(t.left)
		g.emit(bpf.ALUOpConstant{Op: aluOps[t.op], Val: k})
		return
	}
	g.pair(t.left, t.right)
	g.emit(bpf.ALUOpX{Op: aluOps[t.op]})
}

// pair generates code that puts one term into A and another into X. The one
// that needs more memory words goes first, so that a tree of n operations needs
// log n of them.
func (g *blockMaker) pair(left, right int32) {
	if g.words[left] > g.words[right] {
		g.compute(left)
		saved := g.save()
		g.compute(right)
		g.emit(bpf.TAX{}, bpf.LoadScratch{Dst: bpf.RegA, N: saved})
	} else {
		g.compute(right)
		saved := g.save()
		g.compute(left)
		g.emit(bpf.LoadScratch{Dst: bpf.RegX, N: saved})
	}
	g.scratch--
	g.a, g.x = left, offset{}
}

// countWords finds out how many memory words the code of each term uses.
// Operands come before what is made of them.
func (p *bpfProgram) countWords() {
	p.words = make([]int, len(p.terms))
	for i := range p.terms {
		switch t := &p.terms[i]; t.kind {
		case indexedTerm:
			p.words[i] = max(p.words[t.left], 1)
		case opTerm:
			left, right := p.words[t.left], p.words[t.right]
			p.words[i] = max(left, right, min(left, right)+1)
		}
	}
}
