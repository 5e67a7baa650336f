package web

import (
	"errors"
	"fmt"
	"mime"
	"net/url"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/loop/http1"
	"github.com/hookd/hookd/stacks/loop/multipart"
)

// request is a message that is being read or answered: loopev.Request for handlers,
// to whom it is lent. Nothing is made of its bytes before somebody asks.
type request struct {
	d    *desk
	p    *http1.Parser
	own  []byte // head and body, where they could not stay where they came
	body []byte
	// front is how many bytes in the connection's buffer are the request's.
	front  int
	whole  bool // the body is there
	next   *request
	parsed url.Values // of the query
}

var _ loopev.Request = (*request)(nil)

// keep copies what is still where it came, before that is used again.
func (r *request) keep() {
	if r.front == 0 {
		return
	}
	head := len(r.p.Raw())
	r.own = append(append(r.own[:0], r.p.Raw()...), r.body...)
	r.p.Move(r.own[:head:head])
	r.body = r.own[head:]
	r.front = 0
}

// Method returns the method.
func (r *request) Method() string { return r.d.word(r.p.Method()) }

// Target returns the target as it was received.
func (r *request) Target() string { return r.d.word(r.p.Target()) }

// Path returns the path without query, as it was received.
func (r *request) Path() string { return r.d.word(r.p.Path()) }

// Query returns what follows the question mark.
func (r *request) Query() (string, bool) {
	q, ok := r.p.Query()
	return string(q), ok
}

// Version returns "1.0" or "1.1".
func (r *request) Version() string {
	if r.p.Minor == 0 {
		return "1.0"
	}
	return "1.1"
}

// Host returns whom the request is for, in lower case and with the port that was given.
func (r *request) Host() string { return strings.ToLower(r.d.word(r.p.Host())) }

// Length returns how long the body is said to be.
func (r *request) Length() (uint64, bool) {
	return uint64(r.p.Length), r.p.Framing == http1.ByLength || r.p.Framing == http1.NoBody
}

// Body returns the body, lent; none before it is there.
func (r *request) Body() ([]byte, bool) { return r.body, r.whole }

// Headers returns all fields by their names in lower case. Of a name that comes
// again the values are one, with commas between.
func (r *request) Headers() any { return fieldsOf(&r.p.Head) }

// Header returns the values of one field, with commas between.
func (r *request) Header(name string) (string, bool) { return fieldOf(&r.p.Head, name) }

func fieldsOf(h *http1.Head) []event.KV {
	list := make([]event.KV, 0, h.Len())
next:
	for i := range h.Len() {
		n, v := h.Field(i)
		name := strings.ToLower(string(n))
		for k := range list {
			if list[k].Key == name {
				list[k].Value = list[k].Value.(string) + ", " + string(v)
				continue next
			}
		}
		list = append(list, event.KV{Key: name, Value: string(v)})
	}
	return list
}

func fieldOf(h *http1.Head, name string) (string, bool) {
	name = strings.ToLower(name)
	i := h.Next(name, 0)
	if i < 0 {
		return "", false
	}
	_, v := h.Field(i)
	text := string(v)
	for i = h.Next(name, i+1); i >= 0; i = h.Next(name, i+1) {
		_, v := h.Field(i)
		text += ", " + string(v)
	}
	return text, true
}

// Param returns the first value of a parameter of the query, decoded.
func (r *request) Param(name string) (string, bool) {
	if r.parsed == nil {
		q, _ := r.Query()
		r.parsed, _ = url.ParseQuery(q) // what cannot be decoded is left out
	}
	v, ok := r.parsed[name]
	if !ok {
		return "", false
	}
	return v[0], true
}

// Cookie returns the value of a cookie.
func (r *request) Cookie(name string) (string, bool) {
	h := &r.p.Head
	for i := h.Next("cookie", 0); i >= 0; i = h.Next("cookie", i+1) {
		_, v := h.Field(i)
		for pair := range strings.SplitSeq(string(v), ";") {
			if k, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && k == name {
				return strings.Trim(value, `"`), true
			}
		}
	}
	return "", false
}

// Form reads a body that is a form, in either of its two encodings (HTML, RFC
// 7578): a list of { name, value, filename, type }.
func (r *request) Form() (parts any, why string, hasWhy bool) {
	parts, err := r.form()
	if err != nil {
		return nil, err.Error(), true
	}
	return parts, "", false
}

func (r *request) form() (any, error) {
	kind, _ := r.Header("content-type")
	media, params, err := mime.ParseMediaType(kind)
	switch {
	case !r.whole:
		return nil, errors.New("form: the body is not there yet")
	case err != nil:
		return nil, fmt.Errorf("form: content-type: %w", err)
	case media == "application/x-www-form-urlencoded":
		return urlForm(string(r.body))
	case media == "multipart/form-data":
		return parts(r.body, params["boundary"])
	}
	return nil, fmt.Errorf("form: the body is %s", media)
}

func urlForm(text string) (any, error) {
	var list []any
	for pair := range strings.SplitSeq(text, "&") {
		k, v, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(k)
		if err != nil {
			return nil, fmt.Errorf("form: %w", err)
		}
		value, err := url.QueryUnescape(v)
		if err != nil {
			return nil, fmt.Errorf("form: %w", err)
		}
		if len(list) == multipart.MaxParts {
			return nil, fmt.Errorf("form: more than %d parts", multipart.MaxParts)
		}
		list = append(list, []event.KV{{Key: "name", Value: name}, {Key: "value", Value: value}})
	}
	return list, nil
}

func parts(body []byte, boundary string) (any, error) {
	in, err := multipart.NewReader(boundary)
	if err != nil {
		return nil, fmt.Errorf("form: %w", err)
	}
	var list []any
	var value []byte
	for in.Feed(body); ; {
		kind, data, err := in.Next()
		if err == nil && kind == multipart.None {
			err = in.Close()
		}
		if err != nil {
			return nil, fmt.Errorf("form: %w", err)
		}
		switch kind {
		case multipart.None:
			return list, nil
		case multipart.Data:
			value = append(value, data...)
		case multipart.End:
			p := in.Part()
			part := []event.KV{{Key: "name", Value: p.Name}, {Key: "value", Value: string(value)}}
			if p.Filename != "" {
				part = append(part, event.KV{Key: "filename", Value: p.Filename})
			}
			if p.Type != "" {
				part = append(part, event.KV{Key: "type", Value: p.Type})
			}
			list, value = append(list, part), value[:0]
		}
	}
}
