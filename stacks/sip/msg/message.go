package msg

import (
	"bytes"
	"errors"
	"math"
)

// Why bytes are no message, so that nothing can be answered either.
var (
	ErrEmpty     = errors.New("msg: parse: nothing but line ends")
	ErrStartLine = errors.New("msg: parse: no SIP start line")
	ErrStatus    = errors.New("msg: parse: a status is three digits")
	ErrNoEnd     = errors.New("msg: parse: the header has no end")
	ErrTooLong   = errors.New("msg: parse: too long")
	ErrFields    = errors.New("msg: parse: too many header fields")
)

// Limits bound one message.
type Limits struct {
	Size   int // bytes in all
	Head   int // bytes of start line and header
	Fields int // header fields; no message has more than 65,535
}

// DefaultLimits are those of RFC 3261's largest datagram.
func DefaultLimits() Limits { return Limits{Size: 65535, Head: 32768, Fields: 256} }

// span is a piece of the message's bytes.
type span struct{ off, end uint32 }

func (s span) of(raw []byte) []byte { return raw[s.off:s.end] }

// field is one header field: its line with the line end, what it is called, and
// its value without white space around it.
type field struct {
	id   Name
	line span
	name span
	val  span
}

// Message is the index over one message's bytes, which it refers to. The zero
// value is ready for [Message.Parse].
type Message struct {
	raw     []byte
	fields  []field
	first   [nameCount]uint16 // place + 1 of the first field of each name
	head    uint32            // where the body begins
	headEnd uint32            // where the last header field ends
	line    span              // start line, without its end
	version span
	word    span // method, or the digits of the status
	rest    span // request URI, or reason
	status  uint16
	method  Method
	request bool
	fault   Fault
}

// Parse makes m the index over raw, which must not change while m is used. Line
// ends before the start line are skipped (RFC 3261, 7.5). Its error says that raw is
// no message; what is wrong in one that can be answered, [Message.Check] says. raw
// is one frame: its body reaches to its end.
func (m *Message) Parse(raw []byte, lim Limits) error {
	m.reset(raw)
	if len(raw) > lim.Size {
		return ErrTooLong
	}
	at := 0
	for at < len(raw) && (raw[at] == '\r' || raw[at] == '\n') {
		at++
	}
	if at == len(raw) {
		return ErrEmpty
	}
	end := bytes.IndexByte(raw[at:], '\n')
	if end < 0 {
		return ErrNoEnd
	}
	end += at
	m.line = span{uint32(at), uint32(lineEnd(raw, at, end))}
	if err := m.startLine(); err != nil {
		return err
	}
	return m.header(end+1, lim)
}

func (m *Message) reset(raw []byte) {
	m.raw, m.fields = raw, m.fields[:0]
	m.first = [nameCount]uint16{}
	m.status, m.method, m.request, m.fault = 0, 0, false, Fault{}
	m.head, m.headEnd = 0, 0
}

// lineEnd returns where the line ends whose line feed is at lf.
func lineEnd(raw []byte, start, lf int) int {
	if lf > start && raw[lf-1] == '\r' {
		return lf - 1
	}
	return lf
}

// header indexes the lines from at to the empty one.
func (m *Message) header(at int, lim Limits) error {
	raw := m.raw
	for {
		lf := bytes.IndexByte(raw[at:], '\n')
		if lf < 0 {
			return ErrNoEnd
		}
		lf += at
		if lineEnd(raw, at, lf) == at {
			m.headEnd, m.head = uint32(at), uint32(lf+1)
			return nil
		}
		for lf+1 < len(raw) && (raw[lf+1] == ' ' || raw[lf+1] == '\t') {
			next := bytes.IndexByte(raw[lf+1:], '\n')
			if next < 0 {
				return ErrNoEnd
			}
			lf += 1 + next
		}
		if lf >= lim.Head {
			return ErrTooLong
		}
		if len(m.fields) >= min(lim.Fields, math.MaxUint16) {
			return ErrFields
		}
		m.field(at, lf+1)
		at = lf + 1
	}
}

// field indexes the header field whose lines are raw[at:end].
func (m *Message) field(at, end int) {
	line := m.raw[at:end]
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		m.blame(400, "Bad Header Line")
		return
	}
	name := line[:colon]
	for len(name) != 0 && (name[len(name)-1] == ' ' || name[len(name)-1] == '\t') {
		name = name[:len(name)-1]
	}
	val, stop := colon+1, len(line)
	for val < stop && is(line[val], classLWS) {
		val++
	}
	for stop > val && is(line[stop-1], classLWS) {
		stop--
	}
	if val == stop {
		val, stop = colon+1, colon+1 // and not behind the line's end
	}
	id := NameOf(name)
	if id == OtherName && !all(name, classToken) {
		m.blame(400, "Bad Header Name")
		return
	}
	m.fields = append(m.fields, field{
		id:   id,
		line: span{uint32(at), uint32(end)},
		name: span{uint32(at), uint32(at + len(name))},
		val:  span{uint32(at + val), uint32(at + stop)},
	})
	if m.first[id] == 0 {
		m.first[id] = uint16(len(m.fields))
	}
}

// Raw returns the message's bytes.
func (m *Message) Raw() []byte { return m.raw }

// IsRequest reports whether m is a request; else it is a reply.
func (m *Message) IsRequest() bool { return m.request }

// Method returns a request's method.
func (m *Message) Method() Method { return m.method }

// MethodText returns a request's method as it stands there.
func (m *Message) MethodText() []byte {
	if !m.request {
		return nil
	}
	return m.word.of(m.raw)
}

// RequestURI returns a request's URI as it stands there; nil of a reply.
func (m *Message) RequestURI() []byte {
	if !m.request {
		return nil
	}
	return m.rest.of(m.raw)
}

// Status returns a reply's status, 100 to 699; 0 of a request.
func (m *Message) Status() int { return int(m.status) }

// Reason returns a reply's reason phrase, which may be empty.
func (m *Message) Reason() []byte {
	if m.request {
		return nil
	}
	return m.rest.of(m.raw)
}

// StartLine returns the first line without its end.
func (m *Message) StartLine() []byte { return m.line.of(m.raw) }

// Head returns what precedes the body.
func (m *Message) Head() []byte { return m.raw[:m.head] }

// Body returns what follows the header.
func (m *Message) Body() []byte { return m.raw[m.head:] }
