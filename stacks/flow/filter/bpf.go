package filter

import (
	"errors"
	"fmt"

	"golang.org/x/net/bpf"
)

// MaxBPF is how many instructions Linux takes in a classic BPF program
// (BPF_MAXINSNS).
const MaxBPF = 4096

// WholePacket is the snapshot length that takes every byte of any packet.
const WholePacket = 1 << 18

// maxBlocks bounds the work for a program that will be too long. Many blocks may
// become one.
const maxBlocks = 4 * MaxBPF

// ErrBPFTooLong says that a program would have more than MaxBPF instructions.
var ErrBPFTooLong = errors.New("the BPF program is too long")

// BPF compiles the expression to a classic BPF program for packets of a link
// type, a LINKTYPE_ number, as SO_ATTACH_FILTER takes it. It returns snaplen for
// a packet that passes, WholePacket if that is 0, and 0 for others.
//
// Its results are those of the Matcher of the same expression, but for protochain
// of packets with more than 16 extension headers. Programs have no loops, so
// Linux takes them; but a socket has little memory for long ones
// (net.core.optmem_max). The errors are those of Matcher, and ErrBPFTooLong,
// wrapped.
//
// Linux takes the outermost VLAN tag out of a frame before the filter of a
// packet socket sees it: there "vlan" finds only tags behind that one, and what
// a tagged frame carries is found without "vlan".
func (e *Expr) BPF(link uint16, snaplen int) ([]bpf.RawInstruction, error) {
	if snaplen < 0 || snaplen > 1<<31-1 {
		return nil, fmt.Errorf("filter: compile BPF: snapshot length %d is out of range", snaplen)
	}
	if snaplen == 0 {
		snaplen = WholePacket
	}
	g, err := e.lower(link)
	if err != nil {
		return nil, err
	}
	if n := len(g.branches); n > maxBlocks {
		return nil, tooLong(n)
	}
	p := bpfProgram{graph: g, blocks: make([]block, len(g.branches))}
	p.countWords()
	p.generate()
	p.share()
	if p.err != nil {
		return nil, p.err
	}
	code := p.link(uint32(snaplen))
	if len(code) > MaxBPF {
		return nil, tooLong(len(code))
	}
	return bpf.Assemble(code)
}

func tooLong(n int) error {
	return fmt.Errorf("filter: compile BPF: %w: %d instructions or more, and Linux takes %d", ErrBPFTooLong, n, MaxBPF)
}

// bpfProgram turns a graph into instructions: a block for each branch, the last
// one first.
type bpfProgram struct {
	*graph
	blocks []block
	// words are how many memory words each term needs to be computed.
	words []int
	err   error
}

// block is the code of a branch: what loads its term, and a jump.
type block struct {
	code []bpf.Instruction
	// The jump goes to yes if the comparison holds.
	cond    bpf.JumpTest
	k       uint32
	withX   bool // compares with X instead of k
	jumps   bool // else the block is followed by yes without a question
	yes, no int32

	reached bool
	in      machine // what is known of the registers where the block begins
}

// machine is what the registers of BPF hold.
type machine struct {
	a     int32  // a term, or unknown
	x     offset // or the zero offset, which stands for unknown
	saved uint16 // memory words that were written on every way here
}

// offset is what X holds for a load: the register reg, the length of the IPv4
// header at ipAt, or both.
type offset struct {
	known, behindIPv4 bool
	reg               int8
	ipAt              uint32
}

// generate makes the blocks from the entry on.
func (p *bpfProgram) generate() {
	p.arrive(p.entry, machine{a: unknown})
	var unset uint16
	for i := len(p.blocks) - 1; i >= 0; i-- {
		b := &p.blocks[i]
		if !b.reached {
			continue
		}
		g := blockMaker{bpfProgram: p, block: b, machine: b.in}
		g.branch(&p.branches[i])
		unset |= g.unset
		p.arrive(b.yes, g.machine)
		p.arrive(b.no, g.machine)
	}
	if unset != 0 && p.entry >= 0 {
		p.clear(unset)
	}
}

// arrive adds a way to a branch, with what the registers hold on it.
func (p *bpfProgram) arrive(to int32, m machine) {
	if to < 0 {
		return
	}
	b := &p.blocks[to]
	if !b.reached {
		b.reached, b.in = true, m
		return
	}
	if b.in.a != m.a {
		b.in.a = unknown
	}
	if b.in.x != m.x {
		b.in.x = offset{}
	}
	b.in.saved &= m.saved
}

// clear writes 0 into memory words that are read where no tunnel was entered:
// Linux refuses a program that reads what it may not have written.
func (p *bpfProgram) clear(words uint16) {
	code := []bpf.Instruction{bpf.LoadConstant{Dst: bpf.RegA}}
	for n := range 16 {
		if words&(1<<n) != 0 {
			code = append(code, bpf.StoreScratch{Src: bpf.RegA, N: n})
		}
	}
	b := &p.blocks[p.entry]
	b.code = append(code, b.code...)
}

// share leads to one block what went to several that have the same code and go
// on to the same places, whatever the registers hold there.
func (p *bpfProgram) share() {
	type shape struct {
		code         string
		cond         bpf.JumpTest
		k            uint32
		withX, jumps bool
		yes, no      int32
	}
	first := make(map[shape]int32)
	to := make([]int32, len(p.blocks))
	moved := func(i int32) int32 {
		if i < 0 {
			return i
		}
		return to[i]
	}
	for i := range p.blocks {
		b := &p.blocks[i]
		if !b.reached {
			continue
		}
		b.yes, b.no = moved(b.yes), moved(b.no)
		s := shape{fmt.Sprint(b.code), b.cond, b.k, b.withX, b.jumps, b.yes, b.no}
		same, ok := first[s]
		if !ok {
			same, first[s] = int32(i), int32(i)
		}
		to[i] = same
		b.reached = same == int32(i)
	}
	p.entry = moved(p.entry)
}
