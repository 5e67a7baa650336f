package farend

import (
	"strings"

	"github.com/hookd/hookd/stacks/loop/http1"
)

// message is a request or a response of HTTP.
type message struct {
	Method, Target string // of a request
	Status         int    // of a response
	Reason         string
	Fields         [][2]string
	Body           []byte
}

// Field returns a field, "" if there is none.
func (m *message) Field(name string) string {
	for _, f := range m.Fields {
		if strings.EqualFold(f[0], name) {
			return f[1]
		}
	}
	return ""
}

// http is both ends of HTTP: it reads requests, or responses to what was asked.
type http struct {
	e      *end
	server bool
	p      *http1.Parser
	body   http1.Body
	cur    *message                 // whose body is being read
	asked  []string                 // methods of requests that have no response yet
	came   []message                // whole
	onHead func(h *http1.Head) bool // for what ends HTTP; true if it does
}

func (e *end) http(server bool) (*http, error) {
	h, ok := e.speech.(*http)
	if ok && h.server == server {
		return h, nil
	}
	h = &http{e: e, server: server, p: http1.NewParser(http1.Limits{})}
	return h, e.speak(h)
}

func (h *http) hear(p []byte) (int, error) {
	if h.cur != nil {
		data, n, err := h.body.Next(p)
		if err != nil {
			return 0, err
		}
		h.cur.Body = append(h.cur.Body, data...)
		return n, h.whole()
	}
	parse := h.p.Response
	if h.server {
		parse = h.p.Request
	}
	n, err := parse(p)
	if err != nil || n == 0 {
		return 0, err
	}
	if h.onHead != nil && h.onHead(&h.p.Head) {
		return n, nil
	}
	if !h.server && h.p.Status < 200 && h.p.Status != 101 {
		h.p.Reset()
		return n, nil
	}
	if !h.server && len(h.asked) > 0 {
		h.p.Answers(h.asked[0])
		h.asked = h.asked[1:]
	}
	h.cur = messageOf(&h.p.Head)
	h.body.Begin(&h.p.Head, h.p.Limits())
	return n, h.whole()
}

// whole keeps a message that is.
func (h *http) whole() (err error) {
	if h.cur != nil && h.body.Done() {
		h.came, err = keep(h.came, *h.cur)
		h.cur = nil
		h.p.Reset()
	}
	return err
}

func (h *http) over() {
	if h.cur == nil {
		return
	}
	if h.e.err = h.body.Close(); h.e.err == nil {
		h.e.err = h.whole()
	}
}

func messageOf(h *http1.Head) *message {
	m := &message{Status: h.Status}
	if h.Status == 0 {
		m.Method, m.Target = string(h.Method()), string(h.Target())
	} else {
		m.Reason = string(h.Reason())
	}
	for i := range h.Len() {
		name, value := h.Field(i)
		m.Fields = append(m.Fields, [2]string{string(name), string(value)})
	}
	return m
}

// Ask sends a request. Host and Content-Length are filled in where m has none.
func (e *end) Ask(m *message) error {
	h, err := e.http(false)
	if err != nil {
		return err
	}
	method, target := m.Method, m.Target
	if method == "" {
		method = "GET"
	}
	if target == "" {
		target = "/"
	}
	out := http1.AppendRequest(nil, method, target)
	if m.Field("host") == "" {
		out = http1.AppendField(out, "Host", e.line.Remote().String())
	}
	h.asked = append(h.asked, method)
	return e.Send(m.rest(out, len(m.Body) > 0 || method == "POST" || method == "PUT"))
}

// rest appends fields and body.
func (m *message) rest(out []byte, sized bool) []byte {
	for _, f := range m.Fields {
		out = http1.AppendField(out, f[0], f[1])
	}
	if sized && m.Field("content-length") == "" && m.Field("transfer-encoding") == "" {
		out = http1.AppendLength(out, int64(len(m.Body)))
	}
	return append(append(out, "\r\n"...), m.Body...)
}

// Reply returns the next response that came, nil if there is none.
func (e *end) Reply() *message {
	h, ok := e.speech.(*http)
	if !ok || len(h.came) == 0 {
		return nil
	}
	m := h.came[0]
	h.came = h.came[1:]
	return &m
}

// Serve has the end read requests, which [end.Reply] returns, and which are answered by
// [end.Answer].
func (e *end) Serve() error {
	_, err := e.http(true)
	return err
}

// Answer answers a request.
func (e *end) Answer(m *message) error {
	status := m.Status
	if status == 0 {
		status = 200
	}
	return e.Send(m.rest(http1.AppendStatus(nil, status), !http1.Bodyless(status)))
}
