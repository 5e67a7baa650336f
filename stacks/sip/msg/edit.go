package msg

import (
	"errors"
	"slices"
	"strconv"
)

// Why a message cannot be changed so.
var (
	// ErrLineBreak: text that would end the line it is to stand in.
	ErrLineBreak = errors.New("msg: edit: a value holds a line end")
	// ErrForeign: a view of other bytes than the message's.
	ErrForeign = errors.New("msg: edit: the text is not in this message")
)

// splice says that bytes of the message are replaced: raw[at:end] by text[from:to].
type splice struct{ at, end, from, to uint32 }

// Edits are changes to a message, kept beside its bytes until it is written. The
// zero value is ready for [Edits.Reset]; one that is used again allocates nothing.
// Edits of the same place are written in the order in which they were made.
type Edits struct {
	m    *Message
	list []splice
	text []byte
	grow int // bytes more than the message has
}

// Reset empties e and makes it one of m.
func (e *Edits) Reset(m *Message) {
	e.m, e.list, e.text, e.grow = m, e.list[:0], e.text[:0], 0
}

// Empty reports whether nothing is changed.
func (e *Edits) Empty() bool { return len(e.list) == 0 }

// Size returns how many bytes the changed message has.
func (e *Edits) Size() int { return len(e.m.raw) + e.grow }

// splice takes what was appended to e.text since from as the replacement of
// raw[at:end].
func (e *Edits) splice(at, end uint32, from int) {
	s := splice{at, end, uint32(from), uint32(len(e.text))}
	i := len(e.list)
	for i > 0 && e.list[i-1].at > at {
		i--
	}
	e.list = slices.Insert(e.list, i, s)
	e.grow += int(s.to-s.from) - int(end-at)
}

// AppendTo appends the changed message.
func (e *Edits) AppendTo(dst []byte) []byte {
	dst = slices.Grow(dst, max(0, e.Size()))
	at := uint32(0)
	for _, s := range e.list {
		if s.at > at {
			dst = append(dst, e.m.raw[at:s.at]...)
		}
		dst = append(dst, e.text[s.from:s.to]...)
		at = max(at, s.end)
	}
	return append(dst, e.m.raw[at:]...)
}

// Vector appends the pieces that make the changed message, for a write that
// gathers them: slices of the message's bytes and of e's, valid until either
// changes.
func (e *Edits) Vector(dst [][]byte) [][]byte {
	at := uint32(0)
	for _, s := range e.list {
		if s.at > at {
			dst = append(dst, e.m.raw[at:s.at])
		}
		if s.to > s.from {
			dst = append(dst, e.text[s.from:s.to])
		}
		at = max(at, s.end)
	}
	if int(at) < len(e.m.raw) {
		dst = append(dst, e.m.raw[at:])
	}
	return dst
}

// broken reports whether v holds what would end a line.
func broken[T string | []byte](v T) bool {
	for i := range len(v) {
		if v[i] == '\r' || v[i] == '\n' {
			return true
		}
	}
	return false
}

// SetRequestURI replaces a request's URI.
func (e *Edits) SetRequestURI(uri []byte) error {
	if broken(uri) {
		return ErrLineBreak
	}
	from := len(e.text)
	e.text = append(e.text, uri...)
	e.splice(e.m.rest.off, e.m.rest.end, from)
	return nil
}

// SetStatus replaces a reply's status and reason.
func (e *Edits) SetStatus(code int, reason string) error {
	if broken(reason) {
		return ErrLineBreak
	}
	from := len(e.text)
	e.text = strconv.AppendInt(e.text, int64(code), 10)
	e.text = append(append(e.text, ' '), reason...)
	e.splice(e.m.word.off, e.m.line.end, from)
	return nil
}

// Before inserts a header field above the first one of a name; where there is none,
// above all.
func (e *Edits) Before(n Name, name string, value []byte) error {
	at := e.m.top()
	if i := e.m.first[n]; i != 0 && n != OtherName {
		at = e.m.fields[i-1].line.off
	}
	return e.insert(at, name, value)
}

// Append inserts a header field below all others.
func (e *Edits) Append(name string, value []byte) error {
	return e.insert(e.m.headEnd, name, value)
}

func (e *Edits) insert(at uint32, name string, value []byte) error {
	if broken(value) || broken(name) {
		return ErrLineBreak
	}
	from := len(e.text)
	e.text = append(append(append(append(e.text, name...), ": "...), value...), "\r\n"...)
	e.splice(at, at, from)
	return nil
}

// top returns where the header begins.
func (m *Message) top() uint32 {
	if len(m.fields) != 0 {
		return m.fields[0].line.off
	}
	return m.headEnd
}

// SetValue replaces the value of header field i.
func (e *Edits) SetValue(i int, value []byte) error {
	if broken(value) {
		return ErrLineBreak
	}
	from := len(e.text)
	e.text = append(e.text, value...)
	f := &e.m.fields[i]
	e.splice(f.val.off, f.val.end, from)
	return nil
}

// Replace replaces a view's bytes, which must be a slice of the message's, by text:
// a parameter's value, a URI inside an address.
func (e *Edits) Replace(view, text []byte) error {
	if broken(text) {
		return ErrLineBreak
	}
	off := cap(e.m.raw) - cap(view)
	if len(view) == 0 || off < 0 || off+len(view) > len(e.m.raw) || &e.m.raw[off] != &view[0] {
		return ErrForeign
	}
	from := len(e.text)
	e.text = append(e.text, text...)
	e.splice(uint32(off), uint32(off+len(view)), from)
	return nil
}

// Remove takes header field i away.
func (e *Edits) Remove(i int) {
	f := &e.m.fields[i]
	e.splice(f.line.off, f.line.end, len(e.text))
}

// Pop takes the first count values of a header field away, with the lines that then
// say nothing.
func (e *Edits) Pop(n Name, count int) {
	v := e.m.Values(n)
	for count > 0 && v.Next() {
		i, start := v.at, v.in.off
		for count--; count > 0 && len(v.rest) != 0; count-- {
			v.Next()
		}
		f := &e.m.fields[i]
		if len(v.rest) == 0 {
			e.Remove(i)
			continue
		}
		end := v.off
		for is(e.m.raw[end], classLWS) {
			end++
		}
		e.splice(max(start, f.val.off), end, len(e.text))
	}
}

// SetBody replaces the body and says its length; its type stays as it is.
func (e *Edits) SetBody(body []byte) error {
	from := len(e.text)
	e.text = append(e.text, body...)
	e.splice(e.m.head, uint32(len(e.m.raw)), from)
	length := strconv.AppendInt(nil, int64(len(body)), 10)
	if i := e.m.Index(0, ContentLength, ""); i >= 0 {
		return e.SetValue(i, length)
	}
	return e.Append("Content-Length", length)
}

// PopLast takes the last value of a header field away.
func (e *Edits) PopLast(n Name) {
	v := e.m.Values(n)
	before := Values{at: -1}
	var last Values
	for v.Next() {
		if last.m != nil {
			before = last
		}
		last = v
	}
	switch {
	case last.m == nil:
	case before.at == last.at:
		e.splice(before.in.end, last.in.end, len(e.text))
	default:
		e.Remove(last.at)
	}
}
