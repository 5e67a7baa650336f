package msg

import "errors"

// ErrParams: parameters that are not ";name=value" each.
var ErrParams = errors.New("msg: parse parameters: not ;name=value")

// Params are parameters as they stand in a message, from the first semicolon on, or
// empty.
type Params []byte

// next splits the first parameter off, and says whether there was one that is
// well-formed; a name without a value has a nil one.
func (p Params) next() (name, value []byte, rest Params, ok bool) {
	i := skipLWS(p, 0)
	if i == len(p) || p[i] != ';' {
		return nil, nil, nil, false
	}
	start := skipLWS(p, i+1)
	end := start
	for end < len(p) && is(p[end], classToken) {
		end++
	}
	if name = p[start:end]; len(name) == 0 {
		return nil, nil, nil, false
	}
	i = skipLWS(p, end)
	if i == len(p) || p[i] != '=' {
		return name, nil, p[i:], i == len(p) || p[i] == ';'
	}
	start = skipLWS(p, i+1)
	if end = paramEnd(p, start); end <= start {
		return nil, nil, nil, false
	}
	value = p[start:end]
	rest = p[skipLWS(p, end):]
	return name, value, rest, len(rest) == 0 || rest[0] == ';'
}

// paramEnd returns where the value that begins at i ends, -1 if it does not.
func paramEnd(p []byte, i int) int {
	if i < len(p) && p[i] == '"' {
		return quoted(p, i)
	}
	for i < len(p) && p[i] != ';' && !is(p[i], classLWS) && p[i] != '"' && p[i] != '<' && p[i] != '>' && p[i] != ',' {
		i++
	}
	return i
}

// Get returns the value of the first parameter of a name; false if there is none.
// A parameter without a value has an empty one.
func (p Params) Get(name string) (value []byte, ok bool) {
	_, value, ok = p.Find(name)
	return value, ok
}

// Find is [Params.Get] with the name as it stands there.
func (p Params) Find(name string) (text, value []byte, ok bool) {
	for {
		n, v, rest, ok := p.next()
		if n == nil {
			return nil, nil, false
		}
		if sameFold(n, name) {
			return n, v, true
		}
		if !ok {
			return nil, nil, false
		}
		p = rest
	}
}

// Each calls do with each parameter in order until it returns false.
func (p Params) Each(do func(name, value []byte) bool) {
	for {
		n, v, rest, ok := p.next()
		if n == nil || !do(n, v) || !ok {
			return
		}
		p = rest
	}
}

// Check reports whether all of p are parameters.
func (p Params) Check() error {
	for len(trim(p)) != 0 {
		_, _, rest, ok := p.next()
		if !ok {
			return ErrParams
		}
		p = rest
	}
	return nil
}
