package phone

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// head is a header that is being made: fields in order, each with its values.
type head struct {
	start  string
	fields []field
}

type field struct {
	name   string
	values []string
}

func newHead(method, uri string) *head { return &head{start: method + " " + uri + " SIP/2.0\r\n"} }

// set gives a field its values, in its place if it is there; without values it goes.
func (h *head) set(name string, values ...string) {
	same := func(f field) bool { return sameField(f.name, name) }
	if i := slices.IndexFunc(h.fields, same); i >= 0 {
		h.fields[i] = field{name, values}
		return
	}
	h.fields = append(h.fields, field{name, values})
}

// sameField compares names of fields, long or compact.
func sameField(a, b string) bool {
	if id := msg.NameOf([]byte(a)); id != msg.OtherName {
		return id == msg.NameOf([]byte(b))
	}
	return strings.EqualFold(a, b)
}

// add sets the fields of a table; false takes one away.
func (h *head) add(list []event.KV) error {
	for _, kv := range list {
		values, several := kv.Value.([]any)
		if !several {
			values = []any{kv.Value}
		}
		var texts []string
		for _, v := range values {
			text, ok := "", true
			switch v := v.(type) {
			case string:
				text = v
			case float64:
				text = strconv.FormatFloat(v, 'f', -1, 64)
			case bool:
				if ok = !v; ok {
					continue // left out
				}
			default:
				ok = false
			}
			if !ok || strings.ContainsAny(kv.Key+text, "\r\n") || kv.Key == "" || sameField(kv.Key, "Content-Length") {
				return fmt.Errorf("header %q: a text without line ends, a number, a list of them, or false expected; Content-Length is the phone's", kv.Key)
			}
			texts = append(texts, text)
		}
		h.set(kv.Key, texts...)
	}
	return nil
}

// lines returns the fields as they are written.
func (h *head) lines() []byte {
	var b []byte
	for _, f := range h.fields {
		for _, v := range f.values {
			b = append(append(append(append(b, f.name...), ": "...), v...), "\r\n"...)
		}
	}
	return b
}

// text returns the whole message.
func (h *head) text(body, media string) []byte {
	h.describe(body, media)
	b := append([]byte(h.start), h.lines()...)
	b = strconv.AppendInt(append(b, "Content-Length: "...), int64(len(body)), 10)
	return append(append(b, "\r\n\r\n"...), body...)
}

// describe says of which type a body is, where nobody has.
func (h *head) describe(body, media string) {
	switch {
	case body == "" || slices.ContainsFunc(h.fields, func(f field) bool { return sameField(f.name, "Content-Type") }):
	case media == "":
		h.set("Content-Type", "application/sdp")
	default:
		h.set("Content-Type", media)
	}
}
