package http1

import "bytes"

// Parser takes a head. It is for one message at a time: Reset before the next.
type Parser struct {
	Head
	limits Limits
	line   int // where the line begins that is not read yet
	seen   int // up to where there is no LF in it
	empty  int // empty lines before the message
	first  bool
	broken *Error
}

// NewParser returns a parser with those limits.
func NewParser(limits Limits) *Parser { return &Parser{limits: limits.WithDefaults()} }

// Reset makes p ready for a message.
func (p *Parser) Reset() {
	fields := p.fields[:0]
	if cap(fields) > 64 {
		fields = nil
	}
	p.Head = Head{fields: fields}
	p.line, p.seen, p.empty, p.first, p.broken = 0, 0, 0, false, nil
}

// Begun reports whether anything of a message was seen.
func (p *Parser) Begun() bool { return p.seen > 0 }

// Request takes a request's head. b is all that was received of the message, from
// its first byte, in each call more of it. It returns the length of the head when
// it is whole, 0 while it is not, or an [*Error], which stays.
func (p *Parser) Request(b []byte) (int, error) { return p.parse(b, (*Parser).requestLine) }

// Response takes a response's head in the same way. What the request was matters
// to where it ends: see [Parser.Answers].
func (p *Parser) Response(b []byte) (int, error) { return p.parse(b, (*Parser).statusLine) }

func (p *Parser) parse(b []byte, firstLine func(*Parser, []byte) *Error) (int, error) {
	if p.broken != nil {
		return 0, p.broken
	}
	p.raw = b
	n, err := p.lines(b, firstLine)
	if err != nil {
		p.broken = err
		return 0, err
	}
	if n > 0 {
		p.raw = b[:n:n]
	}
	return n, nil
}

// lines reads the lines that are whole.
func (p *Parser) lines(b []byte, firstLine func(*Parser, []byte) *Error) (int, *Error) {
	for {
		if err := p.firstByte(b); err != nil {
			return 0, err
		}
		i := bytes.IndexByte(b[p.seen:], '\n')
		if i < 0 {
			p.seen = len(b)
			return 0, p.tooLong(len(b), nil)
		}
		end := p.seen + i
		if end == p.line || b[end-1] != '\r' {
			return 0, p.tooLong(end, ErrBareLF)
		}
		line := b[p.line : end-1]
		if err := p.tooLong(end+1, nil); err != nil {
			return 0, err
		}
		var err *Error
		switch {
		case len(line) > 0 && !p.first:
			p.first = true
			err = firstLine(p, line)
		case len(line) > 0:
			err = p.field(line)
		case p.first:
			return end + 1, p.finish()
		default:
			if p.empty++; p.empty > maxEmptyLines {
				err = ErrEmptyLines
			}
		}
		if err != nil {
			return 0, err
		}
		p.line, p.seen = end+1, end+1
	}
}

// firstByte refuses what can be no message before a line of it is whole: somebody
// who speaks another protocol is not waited for.
func (p *Parser) firstByte(b []byte) *Error {
	if p.first || len(b) <= p.line || class[b[p.line]]&isToken != 0 || b[p.line] == '\r' || b[p.line] == '\n' {
		return nil
	}
	return ErrMethod
}

// tooLong compares what was received up to end with the limits, and returns err
// if it is within them.
func (p *Parser) tooLong(end int, err *Error) *Error {
	switch {
	case !p.first && end-p.line > p.limits.Line:
		return ErrLineLong
	case end > p.limits.Head:
		return ErrHeadLong
	}
	return err
}

// requestLine takes "GET /path HTTP/1.1".
func (p *Parser) requestLine(line []byte) *Error {
	m := bytes.IndexByte(line, ' ')
	switch {
	case m < 0 && all(line, isToken):
		return ErrRequestLine
	case m <= 0 || !all(line[:m], isToken):
		return ErrMethod
	}
	t := bytes.IndexByte(line[m+1:], ' ')
	if t <= 0 {
		return ErrRequestLine
	}
	t += m + 1
	p.method, p.target = p.at(0, m), p.at(m+1, t)
	if err := p.version(line[t+1:]); err != nil {
		return err
	}
	return checkTarget(line[:m], line[m+1:t])
}

// at makes a part of the current line a span.
func (p *Parser) at(from, to int) span {
	return span{int32(p.line + from), int32(p.line + to)}
}

func (p *Parser) version(v []byte) *Error {
	if len(v) != 8 || string(v[:5]) != "HTTP/" || v[6] != '.' || !digit(v[5]) || !digit(v[7]) {
		return ErrVersion
	}
	if v[5] != '1' {
		return ErrVersionMajor
	}
	p.Minor = min(1, v[7]-'0')
	return nil
}

func digit(b byte) bool { return b >= '0' && b <= '9' }

// checkTarget wants one of the four forms (RFC 9112 section 3.2).
func checkTarget(method, t []byte) *Error {
	ok := all(t, isTarget)
	switch {
	case !ok:
	case string(method) == "CONNECT":
		ok = all(t, isHost) && bytes.IndexByte(t, ':') > 0
	case t[0] == '/':
	case len(t) == 1 && t[0] == '*':
		ok = string(method) == "OPTIONS"
	default:
		host, _ := authority(t)
		ok = len(host) > 0 && all(host, isHost)
	}
	if !ok {
		return ErrTarget
	}
	return nil
}

// statusLine takes "HTTP/1.1 200 OK"; the space behind the status may be missing,
// as it often is.
func (p *Parser) statusLine(line []byte) *Error {
	if len(line) < 12 || line[8] != ' ' {
		if len(line) >= 8 {
			if err := p.version(line[:8]); err != nil {
				return err
			}
		}
		return ErrStatusLine
	}
	if err := p.version(line[:8]); err != nil {
		return err
	}
	s := line[9:12]
	if s[0] < '1' || s[0] > '9' || !digit(s[1]) || !digit(s[2]) {
		return ErrStatusLine
	}
	p.Status = int(s[0]-'0')*100 + int(s[1]-'0')*10 + int(s[2]-'0')
	if len(line) == 12 {
		return nil
	}
	if line[12] != ' ' {
		return ErrStatusLine
	}
	if !all(line[13:], isValue) {
		return ErrControl
	}
	p.reason = p.at(13, len(line))
	return nil
}

// field takes "Name: value".
func (p *Parser) field(line []byte) *Error {
	colon, err := checkField(line)
	if err != nil {
		return err
	}
	if len(p.fields) >= p.limits.Fields {
		return ErrFields
	}
	v := trim(line[colon+1:])
	start := len(line) - len(trimLeft(line[colon+1:]))
	f := field{name: p.at(0, colon), value: p.at(start, start+len(v))}
	f.known = lookUp(line[:colon])
	p.fields = append(p.fields, f)
	return p.note(f.known, v, f.value)
}

func trimLeft(p []byte) []byte {
	for len(p) > 0 && (p[0] == ' ' || p[0] == '\t') {
		p = p[1:]
	}
	return p
}

// checkField returns where the colon of a field is.
func checkField(line []byte) (colon int, err *Error) {
	for colon < len(line) && class[line[colon]]&isToken != 0 {
		colon++
	}
	switch {
	case colon == len(line):
		return 0, ErrNoColon
	case line[colon] == ' ' || line[colon] == '\t':
		if colon == 0 {
			return 0, ErrFold
		}
		if bytes.IndexByte(line[colon:], ':') < 0 {
			return 0, ErrNoColon
		}
		return 0, ErrSpaceColon
	case line[colon] != ':' || colon == 0:
		return 0, ErrFieldName
	}
	for _, b := range line[colon+1:] {
		if class[b]&isValue == 0 {
			if b == '\r' {
				return 0, ErrBareCR
			}
			return 0, ErrControl
		}
	}
	return colon, nil
}

// Limit changes what p refuses from the next message on.
func (p *Parser) Limit(limits Limits) { p.limits = limits }

// Limits returns what p refuses, with the defaults filled in.
func (p *Parser) Limits() *Limits { return &p.limits }
