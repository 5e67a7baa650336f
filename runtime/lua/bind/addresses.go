package bind

import (
	"encoding/binary"
	"net/netip"

	lua "github.com/yuin/gopher-lua"
)

// Addresses keeps the texts of addresses that scripts read, so that an address
// that is read again costs no allocation. It forgets some when more than
// maxAddresses are in use. The zero value is empty and ready; it belongs to the
// goroutine of its machine.
type Addresses struct {
	last  address   // the one that was read last: often it is read again at once
	slots []address // a power of two, or none yet
	n     int
}

type address struct {
	addr netip.Addr
	text lua.LValue
}

const (
	minAddresses = 64
	maxAddresses = 1 << 16 // with their texts 5 MiB
	// nearby is how many slots an address may lie in.
	nearby = 8
)

// address returns what a script sees of an address: its text, nil for none.
func (t *Addresses) address(addr netip.Addr) lua.LValue {
	if addr == t.last.addr && t.last.text != nil {
		return t.last.text
	}
	if !addr.IsValid() {
		return lua.LNil
	}
	t.last = address{addr, t.find(addr)}
	return t.last.text
}

// find returns the text of an address, which it may make.
func (t *Addresses) find(addr netip.Addr) lua.LValue {
	if len(t.slots) == 0 {
		t.slots = make([]address, minAddresses)
	}
	home, mask := place(addr), uint64(len(t.slots)-1)
	for i := range uint64(nearby) {
		s := &t.slots[(home+i)&mask]
		if s.addr == addr {
			return s.text
		}
		if s.text == nil {
			break
		}
	}
	text := lua.LValue(lua.LString(addr.String()))
	t.keep(address{addr, text})
	return text
}

// keep adds an address that is not there.
func (t *Addresses) keep(a address) {
	if 2*t.n >= len(t.slots) && len(t.slots) < maxAddresses {
		old := t.slots
		t.slots, t.n = make([]address, 2*len(old)), 0
		for _, s := range old {
			if s.text != nil {
				t.put(s)
			}
		}
	}
	t.put(a)
}

// put takes the first free slot, or that of another address.
func (t *Addresses) put(a address) {
	home, mask := place(a.addr), uint64(len(t.slots)-1)
	for i := range uint64(nearby) {
		if s := &t.slots[(home+i)&mask]; s.text == nil {
			*s = a
			t.n++
			return
		}
	}
	t.slots[home&mask] = a
}

// place spreads addresses. Those who choose theirs so that they meet make the
// texts of their own be made again, no more.
func place(a netip.Addr) uint64 {
	b := a.As16()
	h := binary.LittleEndian.Uint64(b[:8])*0x9e3779b97f4a7c15 ^ binary.LittleEndian.Uint64(b[8:])
	h = (h ^ h>>32) * 0xd6e8feb86659fd93
	return h ^ h>>32
}
