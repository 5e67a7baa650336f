package msg

import (
	"bytes"
	"errors"
	"strings"
)

// Problem is something wrong in a message, and where.
type Problem struct {
	Offset int    // of the bytes that are meant
	Len    int    // how many they are, 0 where it is a place
	Text   string // what is wrong
	// Fatal: a proxy does not handle the message. What is not is for the ends of a call,
	// who need to understand the field.
	Fatal bool
}

// maxProblems bounds what is said of one message.
const maxProblems = 100

// Problems says all that is wrong in bytes that should be one message, in the order of
// their places but for what is missing. It is for people; a proxy asks [Message.Check].
func Problems(raw []byte, lim Limits) []Problem {
	p := problems{}
	if err := p.m.Parse(raw, lim); err != nil {
		return []Problem{{Text: plainError(err), Fatal: true}}
	}
	p.startLine()
	p.lines()
	p.missing()
	for i := range p.m.fields {
		p.field(i)
	}
	if f := p.m.Check(); f.Found() && !p.fatal {
		p.add(p.m.line, f.Reason, true)
	}
	return p.list
}

// problems collects them.
type problems struct {
	m     Message
	list  []Problem
	fatal bool
}

func (p *problems) add(at span, text string, fatal bool) {
	p.fatal = p.fatal || fatal
	if len(p.list) < maxProblems {
		p.list = append(p.list, Problem{int(at.off), int(at.end - at.off), text, fatal})
	}
}

// plainError is an error without where it comes from.
func plainError(err error) string {
	text := err.Error()
	if i := strings.LastIndex(text, ": "); i >= 0 {
		text = text[i+2:]
	}
	return text
}

// startLine looks at the first line.
func (p *problems) startLine() {
	m := &p.m
	if !m.request {
		return
	}
	u, err := ParseURI(m.RequestURI())
	switch {
	case err != nil:
		p.add(m.rest, "the request URI: "+plainError(err), true)
	case u.Scheme == OtherScheme:
		p.add(m.rest, "the request URI has a scheme that SIP does not route", true)
	case len(u.Headers) != 0:
		p.add(m.rest, "the request URI has header fields", true)
	}
	if m.fault.Found() && m.fault.Reason != "Bad Header Line" && m.fault.Reason != "Bad Header Name" && !p.fatal {
		p.add(m.line, strings.ToLower(m.fault.Reason), true)
	}
}

// lines looks for lines of the header that are no field.
func (p *problems) lines() {
	m := &p.m
	at := int(m.line.end)
	for at < int(m.headEnd) {
		lf := bytes.IndexByte(m.raw[at:], '\n')
		if lf < 0 {
			return
		}
		line := span{uint32(at), uint32(at + lf)}
		text := bytes.TrimRight(line.of(m.raw), "\r")
		line.end = line.off + uint32(len(text))
		at += lf + 1
		if len(text) == 0 || text[0] == ' ' || text[0] == '\t' {
			continue
		}
		colon := bytes.IndexByte(text, ':')
		name := bytes.TrimRight(text[:max(colon, 0)], " \t")
		switch {
		case colon <= 0:
			p.add(line, "a line of the header without a colon behind a name", true)
		case NameOf(name) == OtherName && !all(name, classToken):
			p.add(span{line.off, line.off + uint32(colon)}, "a name of a header field is letters, digits and -.!%*_+`'~", true)
		}
	}
}

// missing looks for fields that each message has.
func (p *problems) missing() {
	for _, n := range [...]Name{ViaName, From, To, CallID, CSeqName} {
		if !p.m.Has(n) {
			p.add(span{p.m.headEnd, p.m.headEnd}, "there is no "+names[n].text, true)
		}
	}
}

// field looks at one header field.
func (p *problems) field(i int) {
	m := &p.m
	f := &m.fields[i]
	switch f.id {
	case From, To, CallID, CSeqName, MaxForwards, ContentLength:
		if int(m.first[f.id]) != i+1 {
			p.add(span{f.name.off, f.val.end}, "a second "+names[f.id].text, true)
			return
		}
	}
	switch f.id {
	case ViaName:
		p.values(i, func(v []byte) error { _, err := ParseVia(v); return err })
	case From, To:
		p.whole(f, parseAddress(f.val.of(m.raw)))
	case Contact, Route, RecordRoute, ReferTo, Path:
		p.values(i, parseAddress)
	case CallID:
		if f.val.off == f.val.end {
			p.whole(f, ErrAbsent)
		}
	case CSeqName:
		p.cseq(f)
	case MaxForwards:
		_, _, err := m.MaxForwards()
		p.whole(f, err)
	case ContentLength:
		p.length(f)
	}
}

// parseAddress reads an address and the URI in it.
func parseAddress(v []byte) error {
	a, err := ParseAddress(v)
	if err == nil && !a.Star {
		_, err = ParseURI(a.URI)
	}
	return err
}

// whole tells of an error in a field's value.
func (p *problems) whole(f *field, err error) {
	if err != nil {
		p.add(f.val, names[f.id].text+": "+plainError(err), p.decides(f.id))
	}
}

// decides reports whether a proxy refuses messages for such a field.
func (p *problems) decides(n Name) bool {
	switch n {
	case ViaName, From, To, CallID, CSeqName, MaxForwards, ContentLength:
		return p.m.Check().Found()
	}
	return false
}

// values tells of errors in the values of a list that stand in field i.
func (p *problems) values(i int, parse func([]byte) error) {
	m := &p.m
	id := m.fields[i].id
	first := true
	for v := m.Values(id); v.Next(); {
		if v.Field() != i {
			continue
		}
		if err := parse(v.Value()); err != nil {
			// Of Via a proxy reads the topmost alone.
			p.add(v.in, names[id].text+": "+plainError(err), id == ViaName && first && int(m.first[id]) == i+1)
		}
		first = false
	}
}

func (p *problems) cseq(f *field) {
	seq, err := p.m.CSeq()
	if err == nil && p.m.request && !bytes.Equal(seq.Method, p.m.MethodText()) {
		err = errors.New("it names another method than the first line")
	}
	p.whole(f, err)
}

func (p *problems) length(f *field) {
	n, _, err := p.m.ContentLength()
	switch have := len(p.m.Body()); {
	case err == nil && n > have:
		err = errors.New("the body is shorter")
	case err == nil && n < have:
		p.add(span{p.m.head + uint32(n), uint32(len(p.m.raw))}, "bytes behind the body: in a datagram they are nobody's", false)
	}
	p.whole(f, err)
}
