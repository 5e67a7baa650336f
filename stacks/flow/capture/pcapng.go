package capture

import "fmt"

// Block types and lengths of pcapng (draft-ietf-opsawg-pcapng, section 4).
const (
	ngSectionHeader  = 0x0a0d0d0a
	ngInterface      = 1
	ngObsoletePacket = 2
	ngSimplePacket   = 3
	ngEnhancedPacket = 6

	ngByteOrder = 0x1a2b3c4d
	ngMinBlock  = 12 // type, length and the length again
)

// maxBlock bounds the blocks that are read whole: those of packets, interfaces
// and sections, options included, in bytes. Others are skipped at any length.
const maxBlock = 1 << 20

// MaxInterfaces is how many interfaces one section of a pcapng file may
// describe; a further one is a FormatError.
const MaxInterfaces = 1 << 16

// ngIface is what an interface description says that packets need.
type ngIface struct {
	link  LinkType
	snap  uint32 // 0 is no limit
	clock clock
}

// nextBlock reads blocks up to and including one with a packet.
func (r *Reader) nextBlock(f *Frame) error {
	for {
		if packet, err := r.readBlock(f); packet || err != nil {
			return err
		}
	}
}

// readBlock consumes one block and reports whether it held a packet, which is
// then in f. A block is consumed whole or not at all.
func (r *Reader) readBlock(f *Frame) (packet bool, err error) {
	if !r.win.have(ngMinBlock) {
		return false, r.end("block header")
	}
	h := r.win.buf[r.win.r : r.win.r+ngMinBlock]
	kind := r.u32(h)
	if kind == ngSectionHeader { // reads the same in both byte orders
		if err := r.readByteOrder(h[8:]); err != nil {
			return false, err
		}
	}
	length := r.u32(h[4:])
	if length < ngMinBlock || length%4 != 0 {
		return false, r.blockFault("its length %d is not a multiple of 4 from %d up", length, ngMinBlock)
	}
	switch kind {
	case ngEnhancedPacket, ngSimplePacket, ngObsoletePacket:
		return true, r.readWhole(kind, int(length), f)
	case ngInterface, ngSectionHeader:
		return false, r.readWhole(kind, int(length), nil)
	default:
		return false, r.skipBlock(length)
	}
}

// readWhole reads a block of a type that matters here.
func (r *Reader) readWhole(kind uint32, length int, f *Frame) error {
	if length > maxBlock {
		return r.blockFault("its length %d is over the limit of %d", length, maxBlock)
	}
	if !r.win.have(length) {
		return r.cut("block")
	}
	end := r.win.r + length
	block := r.win.buf[r.win.r:end:end]
	if tail := r.u32(block[length-4:]); int(tail) != length {
		return r.blockFault("it has length %d before and %d after it", length, tail)
	}
	if err := r.parseBlock(kind, block[8:length-4], f); err != nil {
		return err
	}
	r.win.r = end
	return nil
}

func (r *Reader) parseBlock(kind uint32, body []byte, f *Frame) error {
	switch kind {
	case ngEnhancedPacket:
		return r.enhancedPacket(body, f)
	case ngSimplePacket:
		return r.simplePacket(body, f)
	case ngObsoletePacket:
		return r.obsoletePacket(body, f)
	case ngInterface:
		return r.addInterface(body)
	default:
		return r.startSection(body)
	}
}

// skipBlock passes over a block of another type, however long it is.
func (r *Reader) skipBlock(length uint32) error {
	at := r.win.offset()
	if !r.win.skip(int64(length)-4) || !r.win.have(4) {
		return r.cutAt(at, "block")
	}
	if tail := r.u32(r.win.buf[r.win.r:]); tail != length {
		what := fmt.Sprintf("pcapng block: it has length %d before and %d after it", length, tail)
		return r.fault(at, what, nil)
	}
	r.win.r += 4
	return nil
}

func (r *Reader) blockFault(format string, args ...any) error {
	return r.fault(r.win.offset(), "pcapng block: "+fmt.Sprintf(format, args...), nil)
}
