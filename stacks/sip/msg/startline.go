package msg

import "bytes"

// startLine reads the first line: of a reply if it begins with the version, else
// of a request. White space that should not be there makes a request faulty, but
// one that can be answered.
func (m *Message) startLine() error {
	line := m.line.of(m.raw)
	if len(line) >= 4 && sameFold(line[:4], "SIP/") {
		return m.statusLine(line)
	}
	return m.requestLine(line)
}

// statusLine reads "SIP/2.0 200 OK" (RFC 3261, 7.2).
func (m *Message) statusLine(line []byte) error {
	sp := bytes.IndexByte(line, ' ')
	if sp < 0 {
		return ErrStartLine
	}
	code := line[sp+1:]
	reason := len(line)
	if end := bytes.IndexByte(code, ' '); end >= 0 {
		code, reason = code[:end], sp+1+end+1
	}
	n, ok := number(code, 699)
	if !ok || len(code) != 3 || n < 100 {
		return ErrStatus
	}
	off := m.line.off
	m.version = span{off, off + uint32(sp)}
	m.word = span{off + uint32(sp) + 1, off + uint32(sp) + 4}
	m.rest = span{off + uint32(reason), m.line.end}
	m.status = uint16(n)
	if !sameFold(line[:sp], "SIP/2.0") {
		m.blame(505, "Version Not Supported")
	}
	return nil
}

// requestLine reads "INVITE sip:bob@example.com SIP/2.0" (RFC 3261, 7.1).
func (m *Message) requestLine(line []byte) error {
	sp := bytes.IndexByte(line, ' ')
	stop := len(line)
	for stop > 0 && (line[stop-1] == ' ' || line[stop-1] == '\t') {
		stop--
	}
	last := bytes.LastIndexByte(line[:stop], ' ')
	if sp <= 0 || last <= sp || !all(line[:sp], classToken) {
		return ErrStartLine
	}
	version := line[last+1 : stop]
	if len(version) < 5 || !sameFold(version[:4], "SIP/") {
		return ErrStartLine
	}
	off := m.line.off
	m.request = true
	m.word = span{off, off + uint32(sp)}
	m.method = MethodOf(line[:sp])
	m.rest = span{off + uint32(sp) + 1, off + uint32(last)}
	m.version = span{off + uint32(last) + 1, off + uint32(stop)}
	uri := line[sp+1 : last]
	switch {
	case !sameFold(version, "SIP/2.0"):
		m.blame(505, "Version Not Supported")
	case stop != len(line):
		m.blame(400, "White Space After Version")
	case len(uri) == 0 || bytes.ContainsAny(uri, " \t<>\""):
		m.blame(400, "Bad Request-URI")
	}
	return nil
}
