package msg

// Auth is a challenge or credentials: the value of WWW-Authenticate,
// Authorization and their Proxy twins (RFC 3261, 20.7, 20.44; RFC 8760).
type Auth struct {
	Scheme []byte // Digest, in any case
	rest   []byte
}

// ParseAuth reads a value; of another form than "scheme name=value, …" it has no
// parameters.
func ParseAuth(v []byte) Auth {
	v = trim(v)
	end := 0
	for end < len(v) && is(v[end], classToken) {
		end++
	}
	return Auth{Scheme: v[:end], rest: v[end:]}
}

// Get returns the value of a parameter, as written; see [Unquote].
func (a *Auth) Get(name string) ([]byte, bool) {
	var found []byte
	ok := false
	a.Each(func(n, v []byte) bool {
		if sameFold(n, name) {
			found, ok = v, true
		}
		return !ok
	})
	return found, ok
}

// Each calls do with each parameter in order until it returns false.
func (a *Auth) Each(do func(name, value []byte) bool) {
	v := trim(a.rest)
	for len(v) != 0 {
		end := 0
		for end < len(v) && is(v[end], classToken) {
			end++
		}
		name := v[:end]
		i := skipLWS(v, end)
		if end == 0 || i == len(v) || v[i] != '=' {
			return
		}
		start := skipLWS(v, i+1)
		if end = authEnd(v, start); end < 0 || !do(name, trim(v[start:end])) {
			return
		}
		v = v[end:]
		for len(v) != 0 && (v[0] == ',' || is(v[0], classLWS)) {
			v = v[1:]
		}
	}
}

// authEnd returns where the value that begins at i ends.
func authEnd(v []byte, i int) int {
	if i < len(v) && v[i] == '"' {
		return quoted(v, i)
	}
	for i < len(v) && v[i] != ',' {
		i++
	}
	return i
}
