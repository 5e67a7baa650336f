package store

import (
	"encoding/binary"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/hookd/hookd/engine/record"
)

// form says what a Key holds.
type form uint8

const (
	formNone form = iota
	formString
	formNumber
	formBool
	formAddr
	formPrefix
	formEndpoint
)

// Key is a key of any store: a string, number, boolean, address, prefix, or
// address and port. It is comparable and made without allocation. The zero Key
// is no key: nothing is found under it and nothing can be stored.
//
// An IPv4 address mapped into IPv6 (RFC 4291 section 2.5.5.2) is the IPv4
// address; zones are dropped, since packets carry none.
type Key struct {
	text   string
	hi, lo uint64 // an address as 16 bytes, IPv4 mapped; lo: a number's bits, a boolean
	aux    uint16 // a port, or a prefix length in the address's own family
	form   form
}

// StringKey makes a key of a byte string. A store that keeps it copies the
// bytes.
func StringKey(s string) Key { return Key{form: formString, text: s} }

// NumberKey makes a key of a number. NaN makes no key, -0 is 0.
func NumberKey(f float64) Key {
	switch {
	case f != f:
		return Key{}
	case f == 0:
		return Key{form: formNumber}
	}
	return Key{form: formNumber, lo: math.Float64bits(f)}
}

// BoolKey makes a key of a boolean.
func BoolKey(b bool) Key {
	k := Key{form: formBool}
	if b {
		k.lo = 1
	}
	return k
}

// AddrKey makes a key of an address; the zero Addr makes no key.
func AddrKey(a netip.Addr) Key {
	if !a.IsValid() {
		return Key{}
	}
	hi, lo := words(a)
	return Key{form: formAddr, hi: hi, lo: lo}
}

// EndpointKey makes a key of an address and port; an invalid address makes no
// key.
func EndpointKey(ap netip.AddrPort) Key {
	if !ap.IsValid() {
		return Key{}
	}
	hi, lo := words(ap.Addr())
	return Key{form: formEndpoint, hi: hi, lo: lo, aux: ap.Port()}
}

// PrefixKey makes a key of a prefix, with the bits behind its length cleared;
// an invalid prefix makes no key. A prefix of at least 96 bits of mapped IPv4
// addresses is the IPv4 prefix.
func PrefixKey(p netip.Prefix) Key {
	if !p.IsValid() {
		return Key{}
	}
	bits := p.Bits()
	p = p.Masked()
	if p.Addr().Is4In6() && bits >= 96 {
		bits -= 96
	}
	hi, lo := words(p.Addr())
	return Key{form: formPrefix, hi: hi, lo: lo, aux: uint16(bits)}
}

func words(a netip.Addr) (hi, lo uint64) {
	b := a.As16()
	return binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
}

// IsValid says whether k is a key at all.
func (k Key) IsValid() bool { return k.form != formNone }

// Addr returns the address of an address, prefix or endpoint key, else the zero
// Addr.
func (k Key) Addr() netip.Addr {
	if k.form < formAddr {
		return netip.Addr{}
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], k.hi)
	binary.BigEndian.PutUint64(b[8:], k.lo)
	return netip.AddrFrom16(b).Unmap()
}

// Prefix returns the prefix of a prefix key, the host prefix of an address key,
// else the zero Prefix.
func (k Key) Prefix() netip.Prefix {
	switch k.form {
	case formPrefix:
		return netip.PrefixFrom(k.Addr(), int(k.aux))
	case formAddr:
		a := k.Addr()
		return netip.PrefixFrom(a, a.BitLen())
	}
	return netip.Prefix{}
}

// Endpoint returns the address and port of an endpoint key, else the zero
// AddrPort.
func (k Key) Endpoint() netip.AddrPort {
	if k.form != formEndpoint {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(k.Addr(), k.aux)
}

// Text returns the bytes of a string key.
func (k Key) Text() (s string, ok bool) { return k.text, k.form == formString }

// Number returns the number of a number key.
func (k Key) Number() (f float64, ok bool) {
	return math.Float64frombits(k.lo), k.form == formNumber
}

// Bool returns the boolean of a boolean key.
func (k Key) Bool() (b, ok bool) { return k.lo == 1 && k.form == formBool, k.form == formBool }

// String writes k as KeyType.Parse reads it: a string as it is, an IPv6
// endpoint in brackets.
func (k Key) String() string {
	switch k.form {
	case formString:
		return k.text
	case formNumber:
		return strconv.FormatFloat(math.Float64frombits(k.lo), 'g', -1, 64)
	case formBool:
		return strconv.FormatBool(k.lo == 1)
	case formAddr:
		return k.Addr().String()
	case formPrefix:
		return k.Prefix().String()
	case formEndpoint:
		return k.Endpoint().String()
	}
	return "no key"
}

// Value returns k as a script sees it: a scalar, addresses and the like in the
// form of String. Store.Key turns it back.
func (k Key) Value() record.Value {
	switch k.form {
	case formNone:
		return record.Value{}
	case formNumber:
		return record.Number(math.Float64frombits(k.lo))
	case formBool:
		return record.Bool(k.lo == 1)
	}
	return record.String(k.String())
}

// host turns an address into its host prefix.
func (k Key) host() Key {
	bits := uint16(128)
	if k.hi == 0 && k.lo>>32 == 0xffff {
		bits = 32
	}
	return Key{form: formPrefix, hi: k.hi, lo: k.lo, aux: bits}
}

// Clone returns k with bytes of its own, for one who keeps a key whose text was
// cut from a buffer.
func (k Key) Clone() Key {
	k.text = strings.Clone(k.text)
	return k
}

// describe names what k is, for messages.
func (k Key) describe() string {
	switch k.form {
	case formString:
		if len(k.text) > 64 {
			return "the string " + strconv.Quote(k.text[:64]) + "..."
		}
		return "the string " + strconv.Quote(k.text)
	case formNumber:
		return "the number " + k.String()
	case formBool:
		return "the boolean " + k.String()
	case formAddr:
		return "the address " + k.String()
	case formPrefix:
		return "the prefix " + k.String()
	case formEndpoint:
		return "the endpoint " + k.String()
	}
	return "no key"
}
