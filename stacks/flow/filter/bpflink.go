package filter

import (
	"slices"

	"golang.org/x/net/bpf"
)

// maxSkip is how far a conditional jump is let go. It could go 255 instructions,
// but two longer jumps may come between.
const maxSkip = 253

// linker puts blocks together from the last to the first, so that the way to
// everything that a jump may go to is known.
type linker struct {
	code []bpf.Instruction // backwards
	// near is the nearest place from which a branch or an end is reached: its
	// first instruction or a jump there, as an index of code.
	near map[int32]int
	ends map[int32]bpf.Instruction
}

// link returns the program, which returns snaplen for packets that pass.
func (p *bpfProgram) link(snaplen uint32) []bpf.Instruction {
	l := linker{
		near: make(map[int32]int),
		ends: map[int32]bpf.Instruction{accept: bpf.RetConstant{Val: snaplen}, reject: bpf.RetConstant{}},
	}
	if p.entry < 0 {
		return []bpf.Instruction{l.ends[p.entry]}
	}
	l.add(reject, l.ends[reject])
	l.add(accept, l.ends[accept])
	for i := range p.blocks {
		if p.blocks[i].reached {
			l.block(int32(i), &p.blocks[i])
		}
	}
	slices.Reverse(l.code)
	return l.code
}

// add puts an instruction in front of the code, a way to the branch or end.
func (l *linker) add(way int32, in bpf.Instruction) {
	l.code = append(l.code, in)
	l.near[way] = len(l.code) - 1
}

// skip returns how many instructions lie between the next one that is added and
// the way to a branch or end.
func (l *linker) skip(to int32) int { return len(l.code) - l.near[to] - 1 }

func (l *linker) block(i int32, b *block) {
	if b.jumps {
		l.jump(b)
	} else if l.skip(b.yes) > 0 {
		l.far(b.yes)
	}
	for _, in := range slices.Backward(b.code) {
		l.code = append(l.code, in)
	}
	l.near[i] = len(l.code) - 1
}

// jump adds the conditional jump at the end of a block, and in front of what is
// too far for it, jumps that go on there.
func (l *linker) jump(b *block) {
	for _, to := range []int32{b.yes, b.no} {
		if l.skip(to) > maxSkip {
			l.far(to)
		}
	}
	yes, no := uint8(l.skip(b.yes)), uint8(l.skip(b.no))
	if b.withX {
		l.code = append(l.code, bpf.JumpIfX{Cond: b.cond, SkipTrue: yes, SkipFalse: no})
		return
	}
	l.code = append(l.code, bpf.JumpIf{Cond: b.cond, Val: b.k, SkipTrue: yes, SkipFalse: no})
}

// far adds an instruction that goes to any distance.
func (l *linker) far(to int32) {
	if end, ok := l.ends[to]; ok {
		l.add(to, end)
		return
	}
	l.add(to, bpf.Jump{Skip: uint32(l.skip(to))})
}
