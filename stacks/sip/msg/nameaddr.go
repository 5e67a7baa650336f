package msg

import (
	"bytes"
	"errors"
)

// Why a value is no address.
var (
	ErrAddress = errors.New("msg: parse address: no URI")
	ErrDisplay = errors.New("msg: parse address: the display name must be tokens or one quoted string")
	ErrBracket = errors.New("msg: parse address: angle brackets do not close, or hold white space")
)

// Address is the value of From, To, Contact, Route and their like (RFC 3261,
// 20.10): a URI, perhaps with a name for people, and parameters of the field.
type Address struct {
	Display []byte // as written, with its quotes; see [Unquote]
	URI     []byte
	Params  Params
	// Bare: the URI stands without angle brackets, so that what follows a semicolon
	// belongs to the field (20.20).
	Bare bool
	// Star: the value is "*", as a REGISTER's Contact may be.
	Star bool
}

// Tag returns the tag parameter, nil if there is none.
func (a *Address) Tag() []byte {
	tag, _ := a.Params.Get("tag")
	return tag
}

// ParseAddress reads one value.
func ParseAddress(v []byte) (Address, error) {
	v = trim(v)
	var a Address
	switch {
	case len(v) == 0:
		return a, ErrAddress
	case v[0] == '*' && len(v) == 1:
		a.Star = true
		return a, nil
	case v[0] == '"':
		end := quoted(v, 0)
		if end < 0 {
			return a, ErrDisplay
		}
		a.Display = v[:end]
		at := skipLWS(v, end)
		if at == len(v) || v[at] != '<' {
			return a, ErrDisplay
		}
		return a, a.bracketed(v[at:])
	}
	angle := bytes.IndexByte(v, '<')
	if semi := bytes.IndexByte(v, ';'); angle < 0 || semi >= 0 && semi < angle {
		return a, a.bare(v)
	}
	a.Display = trim(v[:angle])
	for _, c := range a.Display {
		if !is(c, classToken|classLWS) {
			return a, ErrDisplay
		}
	}
	return a, a.bracketed(v[angle:])
}

// bracketed reads "<sip:bob@example.com>;tag=1".
func (a *Address) bracketed(v []byte) error {
	end := bytes.IndexByte(v, '>')
	if end < 0 {
		return ErrBracket
	}
	a.URI = v[1:end]
	if len(a.URI) == 0 {
		return ErrAddress
	}
	for _, c := range a.URI {
		if is(c, classLWS) || c == '<' || c == '"' {
			return ErrBracket
		}
	}
	a.Params = Params(trim(v[end+1:]))
	return a.Params.Check()
}

// bare reads "sip:bob@example.com;tag=1".
func (a *Address) bare(v []byte) error {
	a.Bare = true
	end := bytes.IndexByte(v, ';')
	if end < 0 {
		end = len(v)
	}
	a.URI = trim(v[:end])
	if len(a.URI) == 0 {
		return ErrAddress
	}
	for _, c := range a.URI {
		if is(c, classLWS) || c == '"' || c == ',' {
			return ErrAddress
		}
	}
	a.Params = Params(v[end:])
	return a.Params.Check()
}

// Address returns the first value of a header field; an error if there is none or
// it is no address.
func (m *Message) Address(n Name) (Address, error) {
	v := m.Values(n)
	if !v.Next() {
		return Address{}, ErrAddress
	}
	return ParseAddress(v.Value())
}
