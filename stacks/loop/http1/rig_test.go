package http1

import (
	"fmt"
	"strings"
)

// message is what one message amounts to, in words.
type message struct {
	first  string // method and target, or status and reason
	minor  uint8
	fields string
	body   string
	keep   bool
}

// reader feeds bytes to a Parser and a Body as a connection does.
type reader struct {
	p        *Parser
	body     Body
	response bool
	method   string // of the requests that the responses answer
	buf      []byte
	inBody   bool
	now      message
	got      []message
	used     int   // bytes of the input
	ends     []int // where each message ends in it
	err      error
	upgraded bool // what follows is no longer HTTP
}

func newReader(response bool) *reader {
	return &reader{p: NewParser(Limits{}), response: response}
}

func (r *reader) feed(p []byte) {
	r.buf = append(r.buf, p...)
	for r.err == nil && !r.upgraded && r.step() {
	}
}

// step takes a head or a part of a body.
func (r *reader) step() bool {
	if r.inBody {
		data, n, err := r.body.Next(r.buf)
		r.err = err
		r.now.body += string(data)
		r.skip(n)
		if r.body.Done() {
			r.finish()
			return true
		}
		return n > 0
	}
	parse := r.p.Request
	if r.response {
		parse = r.p.Response
	}
	n, err := parse(r.buf)
	if r.err = err; n == 0 {
		return false
	}
	r.skip(n)
	r.head()
	return true
}

func (r *reader) skip(n int) { r.buf, r.used = r.buf[n:], r.used+n }

func (r *reader) head() {
	h := &r.p.Head
	r.now = message{minor: h.Minor}
	if r.response {
		h.Answers(r.method)
		r.now.first = fmt.Sprintf("%d %s", h.Status, h.Reason())
	} else {
		r.now.first = fmt.Sprintf("%s %s", h.Method(), h.Target())
	}
	var b strings.Builder
	for i := range h.Len() {
		name, value := h.Field(i)
		fmt.Fprintf(&b, "%s: %s\n", name, value)
	}
	r.now.fields = b.String()
	r.now.keep = h.KeepAlive
	r.body.Begin(h, &r.p.limits)
	r.inBody = true
	if r.body.Done() {
		r.finish()
	}
}

func (r *reader) finish() {
	h := &r.p.Head
	r.upgraded = h.Upgrade || h.Status == 101 || !r.response && string(h.Method()) == "CONNECT"
	r.got, r.ends = append(r.got, r.now), append(r.ends, r.used)
	r.inBody = false
	r.p.Reset()
}

// close ends the connection.
func (r *reader) close() {
	if r.err != nil || r.upgraded {
		return
	}
	if r.inBody {
		if r.err = r.body.Close(); r.err == nil {
			r.finish()
		}
		return
	}
	if r.p.Begun() {
		r.err = ErrCut
	}
}

// read feeds all at once.
func read(input string, response bool) *reader {
	r := newReader(response)
	r.feed([]byte(input))
	r.close()
	return r
}

// outcome is what a test compares.
func (r *reader) outcome() string {
	var b strings.Builder
	for _, m := range r.got {
		fmt.Fprintf(&b, "%s 1.%d keep=%v\n%s%q\n", m.first, m.minor, m.keep, m.fields, m.body)
	}
	if r.err != nil {
		fmt.Fprintf(&b, "error %v\n", r.err)
	}
	if r.upgraded {
		fmt.Fprintf(&b, "upgraded, rest %q\n", r.buf)
	}
	return b.String()
}
