package msg

import (
	"bytes"
	"errors"
)

// ErrMultipart: a body that is said to have parts but does not show them.
var ErrMultipart = errors.New("msg: parse multipart body: no boundary")

// ContentTypeIs reports whether the body is of a media type such as
// "application/sdp", whatever its parameters.
func (m *Message) ContentTypeIs(media string) bool {
	v, ok := m.Get(ContentType)
	return ok && mediaIs(v, media)
}

func mediaIs(v []byte, media string) bool {
	if semi := bytes.IndexByte(v, ';'); semi >= 0 {
		v = v[:semi]
	}
	return sameFold(trim(v), media)
}

// Part is one part of a multipart body (RFC 2046, 5.1; RFC 5621).
type Part struct {
	Header []byte // its header lines
	Body   []byte
	Offset int // where Body begins in the message's body
}

// Get returns the value of a header field of the part.
func (p *Part) Get(name string) ([]byte, bool) {
	for rest := p.Header; len(rest) != 0; {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		for len(rest) != 0 && (rest[0] == ' ' || rest[0] == '\t') {
			next := bytes.IndexByte(rest, '\n')
			if next < 0 {
				next = len(rest)
			}
			line, rest = line[:len(line)+1+next], rest[min(next+1, len(rest)):] // both lie in Header
		}
		n, v, ok := bytes.Cut(line, []byte(":"))
		if ok && sameFold(trim(n), name) {
			return trim(v), true
		}
	}
	return nil, false
}

// Parts calls do with each part of a multipart body in order until it returns
// false.
func (m *Message) Parts(do func(Part) bool) error {
	v, _ := m.Get(ContentType)
	semi := bytes.IndexByte(v, ';')
	if semi < 0 || len(v) < 10 || !sameFold(v[:10], "multipart/") {
		return ErrMultipart
	}
	boundary, _ := Params(v[semi:]).Get("boundary")
	mark := append([]byte("--"), Unquote(nil, boundary)...)
	if len(mark) == 2 {
		return ErrMultipart
	}
	body := m.Body()
	at := delimiter(body, mark, 0)
	for at >= 0 {
		start := at + len(mark)
		if bytes.HasPrefix(body[start:], []byte("--")) {
			return nil
		}
		lf := bytes.IndexByte(body[start:], '\n')
		if lf < 0 {
			return ErrMultipart
		}
		start += lf + 1
		if at = delimiter(body, mark, start); at < 0 {
			return ErrMultipart
		}
		end := lineEnd(body, start, max(at-1, start))
		if !do(makePart(body, start, end)) {
			return nil
		}
	}
	return ErrMultipart
}

// delimiter finds the line that is mark, perhaps with the two hyphens that end the last
// part: the boundary of a part inside may begin like the one around it.
func delimiter(body, mark []byte, from int) int {
	for {
		i := bytes.Index(body[from:], mark)
		if i < 0 {
			return -1
		}
		i += from
		line, _, _ := bytes.Cut(body[i+len(mark):], []byte("\n"))
		if (i == 0 || body[i-1] == '\n') && len(trim(bytes.TrimPrefix(line, []byte("--")))) == 0 {
			return i
		}
		from = i + 1
	}
}

func makePart(body []byte, start, end int) Part {
	for at := start; at < end; {
		lf := bytes.IndexByte(body[at:end], '\n')
		if lf < 0 {
			break
		}
		if lineEnd(body, at, at+lf) == at {
			return Part{Header: body[start:at], Body: body[at+lf+1 : end], Offset: at + lf + 1}
		}
		at += lf + 1
	}
	return Part{Header: body[start:end], Offset: end}
}

// SDP returns the session description of the message: its body, or the first part
// that is one; nil if there is none. Offset is where it begins in the body.
func (m *Message) SDP() (sdp []byte, offset int) {
	if m.ContentTypeIs("application/sdp") {
		return m.Body(), 0
	}
	_ = m.Parts(func(p Part) bool {
		if v, ok := p.Get("Content-Type"); ok && mediaIs(v, "application/sdp") {
			sdp, offset = p.Body, p.Offset
		}
		return sdp == nil
	})
	return sdp, offset
}

// SDPLine is one line of a session description (RFC 8866, 5).
type SDPLine struct {
	Type   byte   // the letter
	Value  []byte // behind the equals sign
	Offset int    // where Value begins in the description
	Media  int    // how many m= lines precede it, or include it; 0: of the session
}

// SDPLines calls do with each line of a session description until it returns false.
// What is no line is left out.
func SDPLines(sdp []byte, do func(SDPLine) bool) {
	media := 0
	for at := 0; at < len(sdp); {
		lf := bytes.IndexByte(sdp[at:], '\n')
		if lf < 0 {
			lf = len(sdp) - at
		}
		end := lineEnd(sdp, at, at+lf)
		if end-at >= 2 && sdp[at+1] == '=' {
			if sdp[at] == 'm' {
				media++
			}
			if !do(SDPLine{Type: sdp[at], Value: sdp[at+2 : end], Offset: at + 2, Media: media}) {
				return
			}
		}
		at += lf + 1
	}
}
