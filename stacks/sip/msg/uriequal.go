package msg

import "bytes"

// mostCompared is how many parameters of a URI are compared by rule. What is compared
// with each of the other's takes the square of their number.
const mostCompared = 64

// EqualURI compares two URIs by the rules of their scheme: RFC 3261, 19.1.4, RFC
// 3966, 5; of others, and of those with more than 64 parameters, byte by byte. What is
// no URI equals nothing.
func EqualURI(a, b []byte) bool {
	u, err := ParseURI(a)
	if err != nil {
		return false
	}
	w, err := ParseURI(b)
	if err != nil || u.Scheme != w.Scheme {
		return false
	}
	switch {
	case bytes.Count(u.Params, []byte(";")) > mostCompared || bytes.Count(u.Headers, []byte("&")) > mostCompared:
		return bytes.Equal(a, b)
	case u.Scheme == SIP, u.Scheme == SIPS:
		return u.equalSIP(&w)
	case u.Scheme == Tel:
		return u.equalTel(&w)
	default:
		return bytes.Equal(a, b)
	}
}

func (u *URI) equalSIP(w *URI) bool {
	return u.HasUser == w.HasUser && sameUnescaped(u.User, w.User, false) &&
		(u.Password == nil) == (w.Password == nil) && sameUnescaped(u.Password, w.Password, false) &&
		EqualFold(u.Host, w.Host) && u.Port == w.Port &&
		paramsWithin(u, w) && paramsWithin(w, u) &&
		headersWithin(u.Headers, w.Headers) && headersWithin(w.Headers, u.Headers)
}

// decisive are parameters that must be in both URIs or in none.
func decisive(name []byte) bool {
	for _, n := range [...]string{"user", "ttl", "method", "maddr", "transport"} {
		if sameUnescaped(name, []byte(n), true) {
			return true
		}
	}
	return false
}

// paramsWithin reports whether what u says in its parameters, w does not gainsay.
func paramsWithin(u, w *URI) bool {
	for p := []byte(u.Params); len(p) != 0; {
		name, value, rest := uriParam(p)
		other, ok := w.Param(string(name))
		if ok && !sameUnescaped(value, other, true) || !ok && decisive(name) {
			return false
		}
		p = rest
	}
	return true
}

// headersWithin reports whether each header component of a is in b.
func headersWithin(a, b []byte) bool {
	for len(a) != 0 {
		var one []byte
		one, a, _ = bytes.Cut(a, []byte("&"))
		if !hasHeader(b, one) {
			return false
		}
	}
	return true
}

func hasHeader(b, header []byte) bool {
	name, value, _ := bytes.Cut(header, []byte("="))
	for len(b) != 0 {
		var one []byte
		one, b, _ = bytes.Cut(b, []byte("&"))
		n, v, _ := bytes.Cut(one, []byte("="))
		if sameUnescaped(n, name, true) && sameUnescaped(v, value, false) {
			return true
		}
	}
	return false
}

// sameUnescaped compares what two texts say, escaped or not.
func sameUnescaped(a, b []byte, fold bool) bool {
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		x, y := a[i], b[j]
		if x == '%' {
			if c, ok := unhex(a, i); ok {
				x, i = c, i+2
			}
		}
		if y == '%' {
			if c, ok := unhex(b, j); ok {
				y, j = c, j+2
			}
		}
		if fold {
			x, y = lower(x), lower(y)
		}
		if x != y {
			return false
		}
		i, j = i+1, j+1
	}
	return i == len(a) && j == len(b)
}

// number reads what follows "tel:": a number, global or local, and parameters.
func (u *URI) number(v []byte) error {
	end := bytes.IndexByte(v, ';')
	if end < 0 {
		end = len(v)
	}
	u.User, u.Params = v[:end], Params(v[end:])
	digits := u.User
	global := len(digits) != 0 && digits[0] == '+'
	if global {
		digits = digits[1:]
	}
	some := false
	for _, c := range digits {
		switch {
		case separator(c):
		case is(c, classDigit), !global && (is(c, classHex) || c == '*' || c == '#'):
			some = true
		default:
			return ErrURI
		}
	}
	if !some {
		return ErrURI
	}
	if _, ok := u.Param("phone-context"); !ok && !global {
		return ErrURI
	}
	return u.check()
}

// separator reports whether c only makes a number readable (RFC 3966, 3).
func separator(c byte) bool { return c == '-' || c == '.' || c == '(' || c == ')' }

func (u *URI) equalTel(w *URI) bool {
	return sameDigits(u.User, w.User) && telParams(u, w) && telParams(w, u)
}

// sameDigits compares numbers without what separates their digits.
func sameDigits(a, b []byte) bool {
	for {
		for len(a) != 0 && separator(a[0]) {
			a = a[1:]
		}
		for len(b) != 0 && separator(b[0]) {
			b = b[1:]
		}
		if len(a) == 0 || len(b) == 0 {
			return len(a) == len(b)
		}
		if lower(a[0]) != lower(b[0]) {
			return false
		}
		a, b = a[1:], b[1:]
	}
}

// telParams reports whether each parameter of u is in w, in any order. An
// extension is a number too.
func telParams(u, w *URI) bool {
	for p := []byte(u.Params); len(p) != 0; {
		name, value, rest := uriParam(p)
		other, ok := w.Param(string(name))
		phone := sameFold(name, "ext") || sameFold(name, "phone-context") && len(value) != 0 && value[0] == '+'
		if !ok || phone && !sameDigits(value, other) || !phone && !sameUnescaped(value, other, true) {
			return false
		}
		p = rest
	}
	return true
}
