package edge

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/sipev"
	"github.com/hookd/hookd/stacks/sip"
	"github.com/hookd/hookd/stacks/sip/msg"
)

// Requests are the functions by which scripts send requests of the server's own.
type Requests struct{ group *Group }

// Requests returns what a group's stack sends of its own.
func (g *Group) Requests() *Requests { return &Requests{g} }

var (
	errNoStack    = errors.New("no sockets are opened here")
	errOtherShard = errors.New("SIP is in the first shard")
)

// Request is sip.request.
func (r *Requests) Request(by *event.Caller, method, uri, from, to, callID string, cseq uint32, _ bool, headers any, body []byte, media string, timeout time.Duration, _ bool, done func(any, error)) {
	ask := ask{method, uri, from, to, callID, cseq, headers, body, media, timeout}
	waits := true
	q := r.group.request(&ask)
	q.Done = func(_ *sip.Tx, m *sip.Message) {
		// The stack is in the middle of something, and who waited may want more of it.
		if reply := replyValue(m); waits && !by.Shard.Post(func() { done(reply, nil) }) {
			done(reply, nil)
		}
	}
	tx, err := r.send(by, q)
	if err != nil {
		done(nil, fmt.Errorf("sip.request: %w", err))
		return
	}
	by.Waiter.OnCancel(func() {
		waits = false
		_ = tx.Cancel(nil) // what is no INVITE goes on, and nobody hears of it
	})
}

// Send is sip.send.
func (r *Requests) Send(by *event.Caller, method, uri, from, to, callID string, cseq uint32, _ bool, headers any, body []byte, media string, timeout time.Duration, _ bool) (sipev.Tx, error) {
	tx, err := r.send(by, r.group.request(&ask{method, uri, from, to, callID, cseq, headers, body, media, timeout}))
	if err != nil {
		return nil, fmt.Errorf("sip.send: %w", err)
	}
	return tx, nil
}

func (r *Requests) send(by *event.Caller, q *sip.Request) (*sip.Tx, error) {
	switch {
	case r.group.stack == nil:
		return nil, errNoStack
	case by.Shard != r.group.shard:
		return nil, errOtherShard
	}
	return r.group.stack.RequestLater(q)
}

// ask is what a script says of a request.
type ask struct {
	method, uri, from, to, callID string
	cseq                          uint32
	headers                       any
	body                          []byte
	media                         string
	timeout                       time.Duration
}

// request makes of it what the stack sends.
func (g *Group) request(a *ask) *sip.Request {
	self := "<" + g.selfURI() + ">"
	q := &sip.Request{
		Method: a.method, URI: a.uri, From: a.from, To: a.to, CallID: a.callID, CSeq: a.cseq,
		Fields: sip.HeaderLines(a.headers), Body: a.body, Timeout: a.timeout,
	}
	if q.From == "" {
		q.From = self
	}
	if q.To == "" {
		q.To = "<" + a.uri + ">"
	}
	if a.media != "" {
		q.Fields = msg.AppendField(q.Fields, "Content-Type", a.media)
	}
	switch msg.MethodOf([]byte(a.method)) {
	case msg.Invite, msg.Subscribe, msg.Refer, msg.Options, msg.Update:
		if !hasField(q.Fields, msg.Contact) {
			q.Fields = msg.AppendField(q.Fields, "Contact", self)
		}
	}
	return q
}

// hasField reports whether whole lines have a header field.
func hasField(lines []byte, n msg.Name) bool {
	for line := range strings.Lines(string(lines)) {
		if name, _, _ := strings.Cut(line, ":"); msg.NameOf([]byte(name)) == n {
			return true
		}
	}
	return false
}

// selfURI is what this server calls itself where a script says nothing: by its first
// listener that has an address.
func (g *Group) selfURI() string {
	for _, l := range g.ports {
		if l.shown == "" {
			continue
		}
		uri := "sip:hookd@" + l.shown
		if l.spec.proto != sipev.TransportUDP {
			uri += ";transport=" + l.spec.proto.String()
		}
		return uri
	}
	return "sip:hookd@anonymous.invalid" // RFC 3323, 4.1.1.3
}

// replyValue is a reply as a script that waited gets it.
func replyValue(m *sip.Message) any {
	var headers []event.KV
	at := map[string]int{}
	for i := range m.Len() {
		f := m.Field(i)
		name := f.Name.String()
		if f.Name == msg.OtherName {
			name = string(f.Text)
		}
		name = strings.ToLower(name)
		value := string(msg.Unfold(nil, f.Value))
		if j, again := at[name]; again {
			headers[j].Value = headers[j].Value.(string) + ", " + value
			continue
		}
		at[name] = len(headers)
		headers = append(headers, event.KV{Key: name, Value: value})
	}
	return []event.KV{
		{Key: "code", Value: float64(m.Status())},
		{Key: "reason", Value: string(m.Reason())},
		{Key: "headers", Value: headers},
		{Key: "body", Value: string(m.Body())},
		{Key: "faked_by", Value: m.FakedBy().String()},
	}
}
