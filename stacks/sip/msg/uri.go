package msg

import (
	"bytes"
	"errors"
)

// ErrURI: text that is no URI of a scheme known here, or a faulty one.
var ErrURI = errors.New("msg: parse URI: not sip:user@host:port;params?headers")

// Scheme says what kind of URI it is.
type Scheme uint8

// The schemes that are taken apart; of others only the name is known.
const (
	OtherScheme Scheme = iota
	SIP
	SIPS
	Tel
)

// URI is a SIP, SIPS or TEL URI in parts (RFC 3261, 19.1; RFC 3966), as written:
// escapes stay, see [Unescape].
type URI struct {
	Scheme   Scheme
	Name     []byte // the scheme as written
	User     []byte // or the number of a TEL URI
	Password []byte
	Host     []byte // an IPv6 address in brackets
	Port     uint16 // 0: none is written
	Params   Params // from the first semicolon
	Headers  []byte // without the question mark
	// HasUser: there is an @.
	HasUser bool
}

// ParseURI takes a URI apart. One of another scheme has only its name and no error.
func ParseURI(v []byte) (URI, error) {
	colon := bytes.IndexByte(v, ':')
	if colon <= 0 || !schemeName(v[:colon]) {
		return URI{}, ErrURI
	}
	u := URI{Name: v[:colon]}
	rest := v[colon+1:]
	if len(rest) == 0 {
		return u, ErrURI
	}
	switch {
	case sameFold(u.Name, "sip"):
		u.Scheme = SIP
	case sameFold(u.Name, "sips"):
		u.Scheme = SIPS
	case sameFold(u.Name, "tel"):
		u.Scheme = Tel
		return u, u.number(rest)
	default:
		return u, nil
	}
	return u, u.sip(rest)
}

func schemeName(v []byte) bool {
	if v[0]|0x20 < 'a' || v[0]|0x20 > 'z' {
		return false
	}
	for _, c := range v[1:] {
		if !is(c, classHost) && c != '+' || c == '_' {
			return false
		}
	}
	return true
}

// sip reads what follows the scheme.
func (u *URI) sip(v []byte) error {
	if at := bytes.IndexByte(v, '@'); at >= 0 {
		u.HasUser = true
		if err := u.userinfo(v[:at]); err != nil {
			return err
		}
		v = v[at+1:]
	}
	end := hostEnd(v)
	if end <= 0 {
		return ErrURI
	}
	u.Host = v[:end]
	v = v[end:]
	if len(v) != 0 && v[0] == ':' {
		end = 1
		for end < len(v) && is(v[end], classDigit) {
			end++
		}
		port, ok := number(v[1:end], 65535)
		if !ok {
			return ErrURI
		}
		u.Port, v = uint16(port), v[end:]
	}
	if q := bytes.IndexByte(v, '?'); q >= 0 {
		u.Headers, v = v[q+1:], v[:q]
	}
	u.Params = Params(v)
	return u.check()
}

// userinfo reads "user:password".
func (u *URI) userinfo(v []byte) error {
	if len(v) == 0 {
		return ErrURI
	}
	u.User = v
	if colon := bytes.IndexByte(v, ':'); colon >= 0 {
		u.User, u.Password = v[:colon], v[colon+1:]
	}
	return escapes(v)
}

// check refuses parameters and headers that cannot be.
func (u *URI) check() error {
	for p := []byte(u.Params); len(p) != 0; {
		if p[0] != ';' {
			return ErrURI
		}
		name, _, rest := uriParam(p)
		if len(name) == 0 {
			return ErrURI
		}
		p = rest
	}
	if err := escapes(u.Params); err != nil {
		return err
	}
	return escapes(u.Headers)
}

// escapes reports whether each percent sign of v begins an escape, and nothing in
// it is white space, a control character or a bracket.
func escapes(v []byte) error {
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case c == '%':
			if _, ok := unhex(v, i); !ok {
				return ErrURI
			}
		case c <= ' ', c == '<', c == '>', c == '"', c == '@':
			return ErrURI
		}
	}
	return nil
}

// uriParam splits ";name=value" off. What a URI's parameters are made of is not
// what a field's are: no white space, no quotes, but brackets, slashes and escapes.
func uriParam(p []byte) (name, value, rest []byte) {
	p = p[1:]
	end := bytes.IndexByte(p, ';')
	if end < 0 {
		end = len(p)
	}
	name, rest = p[:end], p[end:]
	if eq := bytes.IndexByte(name, '='); eq >= 0 {
		name, value = name[:eq], name[eq+1:]
	}
	return name, value, rest
}

// EachParam calls do with each parameter of the URI in order: the whole of it, from its
// semicolon on, and its name, as written.
func (u *URI) EachParam(do func(text, name []byte)) {
	for p := []byte(u.Params); len(p) != 0; {
		name, _, rest := uriParam(p)
		do(p[:len(p)-len(rest)], name)
		p = rest
	}
}

// Param returns the value of a parameter of the URI; false if it is absent.
func (u *URI) Param(name string) ([]byte, bool) {
	for p := []byte(u.Params); len(p) != 0; {
		n, v, rest := uriParam(p)
		if sameUnescaped(n, []byte(name), true) {
			return v, true
		}
		p = rest
	}
	return nil, false
}

// Bare returns a URI without its header fields, as a request has it: they are for what makes
// a request of the URI of its own (RFC 3261, 19.1.1).
func Bare(uri []byte) []byte {
	if u, err := ParseURI(uri); err == nil && u.Headers != nil {
		return uri[:len(uri)-len(u.Headers)-1]
	}
	return uri
}
