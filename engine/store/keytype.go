package store

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/hookd/hookd/engine/record"
)

// KeyType is the type that a store's keys have.
type KeyType uint8

// The key types. The zero KeyType takes any plain scalar.
const (
	KeyAny      KeyType = iota // strings, numbers and booleans; 1 and "1" are two keys
	KeyString                  // byte strings
	KeyNumber                  // numbers, except NaN
	KeyIP                      // addresses
	KeyCIDR                    // prefixes; an address finds the longest that contains it
	KeyEndpoint                // address and port
)

var keyTypes = [...]struct{ name, doc string }{
	KeyAny:      {"any", "a string, number or boolean"},
	KeyString:   {"string", "a string"},
	KeyNumber:   {"number", "a number"},
	KeyIP:       {"ip", `an address like "10.0.0.1" or "2001:db8::1"`},
	KeyCIDR:     {"cidr", `a prefix like "10.0.0.0/8" or an address`},
	KeyEndpoint: {"endpoint", `address and port like "10.0.0.1:5060" or "[2001:db8::1]:5060"`},
}

// String returns the name as scripts write it: "ip", "cidr".
func (t KeyType) String() string {
	if int(t) < len(keyTypes) {
		return keyTypes[t].name
	}
	return "key type " + strconv.Itoa(int(t))
}

// ParseKeyType returns the type that a script names.
func ParseKeyType(name string) (KeyType, error) {
	var names []string
	for t, x := range keyTypes {
		if x.name == name {
			return KeyType(t), nil
		}
		names = append(names, x.name)
	}
	return 0, fmt.Errorf("unknown key type %q: one of %s", name, strings.Join(names, ", "))
}

// maxKeyText is the most bytes that a string key may have.
const maxKeyText = 4096

// Parse reads a key from its text form, as files and command lines have it. For
// KeyAny the result is a string key.
func (t KeyType) Parse(s string) (Key, error) {
	k, err := t.parse(s)
	if err != nil {
		if len(s) > 64 {
			s = s[:64]
		}
		return Key{}, fmt.Errorf("%q is no %s key (%s): %w", s, t, keyTypes[t].doc, err)
	}
	return k, nil
}

func (t KeyType) parse(s string) (Key, error) {
	switch t {
	case KeyNumber:
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return Key{}, errors.Unwrap(err)
		}
		if f != f {
			return Key{}, errors.New("not a number")
		}
		return NumberKey(f), nil
	case KeyIP:
		return parseAddr(s)
	case KeyCIDR:
		if !strings.Contains(s, "/") {
			return parseAddr(s)
		}
		return parsePrefix(s)
	case KeyEndpoint:
		ap, err := netip.ParseAddrPort(s)
		if err != nil {
			return Key{}, reason(err)
		}
		if ap.Addr().Zone() != "" {
			return Key{}, errors.New("an address with a zone")
		}
		return EndpointKey(ap), nil
	}
	if len(s) > maxKeyText {
		return Key{}, fmt.Errorf("longer than %d bytes", maxKeyText)
	}
	return StringKey(s), nil
}

func parseAddr(s string) (Key, error) {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return Key{}, reason(err)
	}
	if a.Zone() != "" {
		return Key{}, errors.New("an address with a zone")
	}
	return AddrKey(a), nil
}

func parsePrefix(s string) (Key, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return Key{}, reason(err)
	}
	if p.Addr().Is4In6() && p.Bits() < 96 {
		return Key{}, errors.New("shorter than the 96 bits before a mapped IPv4 address")
	}
	return PrefixKey(p), nil
}

// reason keeps what netip found wrong and drops the input, which the caller
// quotes.
func reason(err error) error {
	text := err.Error()
	if i := strings.LastIndex(text, "): "); i >= 0 {
		text = text[i+3:]
	}
	return errors.New(text)
}

// admits says whether a store of type t may have k.
func (t KeyType) admits(k Key) bool {
	switch t {
	case KeyAny:
		return k.form == formString || k.form == formNumber || k.form == formBool
	case KeyString:
		return k.form == formString
	case KeyNumber:
		return k.form == formNumber
	case KeyIP:
		return k.form == formAddr
	case KeyCIDR:
		return k.form == formPrefix || k.form == formAddr
	case KeyEndpoint:
		return k.form == formEndpoint
	}
	return false
}

// fromScalar makes a key of what a script gave: strings are parsed where the
// type is more than a string.
func (t KeyType) fromScalar(v record.Value) (Key, error) {
	var k Key
	switch v.Kind() {
	case record.KindString:
		s, _ := v.AsString()
		if t == KeyNumber {
			break
		}
		return t.Parse(s)
	case record.KindNumber:
		f, _ := v.AsNumber()
		k = NumberKey(f)
	case record.KindBool:
		b, _ := v.AsBool()
		k = BoolKey(b)
	}
	if !t.admits(k) {
		return Key{}, fmt.Errorf("a key is %s, not %s", keyTypes[t].doc, describe(v))
	}
	return k, nil
}

func describe(v record.Value) string {
	switch v.Kind() {
	case record.KindNil:
		return "nil"
	case record.KindTable:
		return "a table"
	}
	return "the " + v.Kind().String() + " " + v.String()
}
