package msg

import (
	"bytes"
	"errors"
)

// ErrVia: a value of Via that does not say who sent the message.
var ErrVia = errors.New("msg: parse Via: not SIP/2.0/TRANSPORT host:port")

// MagicCookie begins a branch that is unique for its transaction (RFC 3261,
// 8.1.1.7).
const MagicCookie = "z9hG4bK"

// Via is one hop that a message took (RFC 3261, 20.42).
type Via struct {
	Transport []byte // UDP, TCP, TLS, WS, WSS, as written
	Host      []byte // as written, an IPv6 address in brackets
	Port      uint16 // 0: none is written
	Params    Params
}

// Branch returns the branch parameter, nil if there is none.
func (v *Via) Branch() []byte {
	b, _ := v.Params.Get("branch")
	return b
}

// Magic reports whether the branch is unique for its transaction: it begins with
// the cookie, in any case, and more follows.
func (v *Via) Magic() bool {
	b := v.Branch()
	return len(b) > len(MagicCookie) && sameFold(b[:len(MagicCookie)], MagicCookie)
}

// ParseVia reads one value.
func ParseVia(v []byte) (Via, error) {
	v = trim(v)
	rest, ok := word(v, "SIP")
	if ok {
		rest, ok = word(rest, "2.0")
	}
	if !ok {
		return Via{}, ErrVia
	}
	end := 0
	for end < len(rest) && is(rest[end], classToken) {
		end++
	}
	host := skipLWS(rest, end)
	if end == 0 || host == end {
		return Via{}, ErrVia
	}
	via := Via{Transport: rest[:end]}
	return via, via.sentBy(rest[host:])
}

// word reads a word and the slash behind it.
func word(v []byte, text string) ([]byte, bool) {
	if len(v) < len(text) || !sameFold(v[:len(text)], text) {
		return nil, false
	}
	i := skipLWS(v, len(text))
	if i == len(v) || v[i] != '/' {
		return nil, false
	}
	return v[skipLWS(v, i+1):], true
}

// sentBy reads "host:port;params".
func (via *Via) sentBy(v []byte) error {
	end := hostEnd(v)
	if end <= 0 {
		return ErrVia
	}
	via.Host = v[:end]
	i := skipLWS(v, end)
	if i < len(v) && v[i] == ':' {
		start := skipLWS(v, i+1)
		stop := start
		for stop < len(v) && is(v[stop], classDigit) {
			stop++
		}
		port, ok := number(v[start:stop], 65535)
		if !ok || port == 0 {
			return ErrVia
		}
		via.Port = uint16(port)
		i = skipLWS(v, stop)
	}
	via.Params = Params(v[i:])
	if via.Params.Check() != nil {
		return ErrVia
	}
	return nil
}

// hostEnd returns the length of the host that v begins with, -1 if there is none.
func hostEnd(v []byte) int {
	if len(v) != 0 && v[0] == '[' {
		end := bytes.IndexByte(v, ']')
		if end < 3 {
			return -1
		}
		for _, c := range v[1:end] {
			if !is(c, classHex) && c != ':' && c != '.' && c != '%' {
				return -1
			}
		}
		return end + 1
	}
	i := 0
	for i < len(v) && is(v[i], classHost) {
		i++
	}
	if i == 0 {
		return -1
	}
	return i
}

// Via returns the topmost hop.
func (m *Message) Via() (Via, error) {
	v := m.Values(ViaName)
	if !v.Next() {
		return Via{}, ErrVia
	}
	return ParseVia(v.Value())
}
