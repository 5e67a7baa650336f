package web

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/engine/event/plain"
	"github.com/hookd/hookd/stacks/loop/http1"
	"github.com/hookd/hookd/stacks/netio"
)

// answer is what a request is answered with.
type answer struct {
	status int
	fields any // of a script: plain data
	body   []byte
	stream bool // the body follows in parts
}

var errAnswered = errors.New("http: it is answered already")

// replyVerdict answers as loop.reply said.
func (s *server) replyVerdict(v event.Verdict) {
	a, _ := v.Args.(*loopev.ReplyArgs)
	if a == nil {
		s.fail(500, "reply without a status")
		return
	}
	if err := s.answer(answer{status: int(a.Status), fields: a.Headers, body: a.Body}); err != nil {
		s.fail(500, err.Error())
	}
}

// answer sends an answer. An error says what is wrong with it; nothing was sent then.
func (s *server) answer(a answer) error {
	if a.status < 200 || a.status > 999 {
		return fmt.Errorf("http: %d is no status of an answer", a.status)
	}
	unread := s.state == inBody || s.state == asking && !s.body.Done() && !s.req.whole
	out := http1.AppendStatus(s.d.out[:0], a.status)
	out = s.d.date.Append(out, s.d.stack.Loop().Now())
	var f answerFields
	out, err := f.append(out, a.fields)
	if err != nil {
		return err
	}
	s.last = s.last || f.close || unread || s.d.stack.Loop().Draining()
	empty := http1.Bodyless(a.status)
	if !f.kind && !empty && (len(a.body) > 0 || a.stream) {
		out = append(out, "Content-Type: text/plain; charset=utf-8\r\n"...)
	}
	s.chunked = a.stream && !empty && s.req.p.Minor == 1
	switch {
	case a.stream && s.chunked:
		out = append(out, "Transfer-Encoding: chunked\r\n"...)
	case a.stream:
		s.last = true // its end is that of the connection
	case !empty:
		out, a.body = s.d.compress(s, out, a.body, &f)
		out = http1.AppendLength(out, int64(len(a.body)))
	}
	out = s.connection(out)
	out = append(out, "\r\n"...)
	if !empty && !a.stream && string(s.req.p.Method()) != "HEAD" {
		out = append(out, a.body...)
	}
	s.send(out)
	s.d.sent(out)
	s.answered = true
	if a.stream {
		s.state = streaming
		s.hold()
		s.until.stop(s)
		return nil
	}
	s.done()
	return nil
}

// connection appends what the answer says of the connection.
func (s *server) connection(out []byte) []byte {
	switch {
	case s.last:
		return append(out, "Connection: close\r\n"...)
	case s.req.p.Minor == 0:
		return append(out, "Connection: keep-alive\r\n"...)
	}
	return out
}

// answerFields is what the fields that a script gave say beside themselves.
type answerFields struct {
	kind, coded, close bool
	compressible       bool
}

// append writes a script's fields. Those about framing are the session's own.
func (f *answerFields) append(out []byte, fields any) ([]byte, error) {
	f.compressible = true
	list, ok := fields.([]event.KV)
	if empty, isList := fields.([]any); !ok && fields != nil && !(isList && len(empty) == 0) {
		return nil, fmt.Errorf("http: headers: a table of names and values expected, got %s", plain.Describe(fields))
	}
	for _, kv := range list {
		if !http1.IsToken(kv.Key) {
			return nil, fmt.Errorf("http: headers: %q is no name", kv.Key)
		}
		values, several := kv.Value.([]any)
		if !several {
			values = []any{kv.Value}
		}
		for _, v := range values {
			text, err := fieldText(v)
			if err != nil {
				return nil, fmt.Errorf("http: headers: %s: %w", kv.Key, err)
			}
			if f.note(kv.Key, text) {
				out = http1.AppendField(out, kv.Key, text)
			}
		}
	}
	return out, nil
}

// note looks at a field and reports whether it is sent as it is.
func (f *answerFields) note(name, value string) bool {
	switch strings.ToLower(name) {
	case "content-type":
		f.kind, f.compressible = true, compressible(value)
	case "content-encoding":
		f.coded = true
	case "connection":
		f.close = f.close || strings.EqualFold(value, "close")
		return false
	case "content-length", "transfer-encoding", "keep-alive", "date":
		return false
	}
	return true
}

// fieldText is a plain value as a field has it.
func fieldText(v any) (string, error) {
	var text string
	switch v := v.(type) {
	case string:
		text = v
	case float64:
		text = strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		text = strconv.FormatBool(v)
	default:
		return "", fmt.Errorf("a text expected, got %s", plain.Describe(v))
	}
	if !http1.IsValue(text) {
		return "", errors.New("a control character")
	}
	return text, nil
}

// fail answers for a rule that could not, or not rightly.
func (s *server) fail(status int, what string) {
	s.tell(status, what)
	s.last = true
	_ = s.answer(answer{status: status, body: []byte(strings.ToLower(statusText(status)) + "\n")})
}

// refuse answers what is wrong with a request, and closes.
func (s *server) refuse(err error) {
	status, what := 400, err.Error()
	var e *http1.Error
	if errors.As(err, &e) {
		status, what = e.Status, e.What
	}
	why := netio.Reason{Why: netio.Failed, What: "http", Err: err}
	if status == 413 || status == 414 || status == 431 {
		why = netio.Reason{Why: netio.Limit, What: "http", Err: err}
	}
	s.refusal(status, what, why)
}

// refusal sends an answer without knowing what the request was, and closes.
func (s *server) refusal(status int, what string, why netio.Reason) {
	s.tell(status, what)
	if s.state == over {
		return
	}
	if s.state != streaming {
		body := strings.ToLower(statusText(status)) + "\n"
		out := http1.AppendStatus(s.d.out[:0], status)
		out = s.d.date.Append(out, s.d.stack.Loop().Now())
		out = append(out, "Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"...)
		out = http1.AppendLength(out, int64(len(body)))
		out = append(append(out, "\r\n"...), body...)
		s.send(out)
		s.d.sent(out)
	}
	s.c.Skip(int(s.c.Unread()))
	s.dropForm()
	if s.req != nil && !s.running {
		s.d.release(s.req)
		s.req = nil
	}
	s.shut(why)
}

// tell raises loop.http_error.
func (s *server) tell(status int, what string) {
	sh := s.c.Shard()
	if !loopev.OnHTTPError.Wanted(sh) {
		return
	}
	e := &s.d.events.err
	*e = loopev.HTTPError{C: s.c, Status: uint16(status), Message: what}
	loopev.OnHTTPError.Emit(sh, e)
}
