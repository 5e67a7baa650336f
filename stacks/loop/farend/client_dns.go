package farend

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/verb"
	"github.com/hookd/hookd/stacks/netio/dns"
)

// readQuestion reads the arguments of c:ask(name [, type]).
func readQuestion(v verb.Call, id uint16) (*dns.Message, error) {
	name, err := verb.Text(v, 0, "name")
	if err != nil {
		return nil, err
	}
	kind := "A"
	if v.Arg(1) != nil {
		if kind, err = verb.Text(v, 1, "type"); err != nil {
			return nil, err
		}
	}
	typ, ok := dns.ParseType(strings.ToUpper(kind))
	if !ok {
		return nil, fmt.Errorf("type: %q is none", kind)
	}
	return question(id, name, typ), nil
}

// shownAnswer is what specs see of an answer.
func shownAnswer(m *dns.Message) any {
	list := make([]any, 0, len(m.Answers))
	for _, r := range m.Answers {
		list = append(list, []event.KV{
			{Key: "name", Value: r.Name},
			{Key: "type", Value: r.Type.String()},
			{Key: "ttl", Value: float64(r.TTL)},
			{Key: "value", Value: r.Value()},
		})
	}
	return []event.KV{
		{Key: "code", Value: m.RCode.String()},
		{Key: "answers", Value: list},
		{Key: "truncated", Value: m.Truncated},
		{Key: "authoritative", Value: m.Authoritative},
	}
}

var errOtherAnswer = errors.New("the answer is to another question")

func (c *client) dnsWords() words {
	next := uint16(0)
	return words{"ask": func(v verb.Call) error {
		next++
		q, err := readQuestion(v, next)
		if err == nil {
			err = c.SendDNS(q)
		}
		if err == nil {
			err = v.Settle()
		}
		if err != nil {
			return err
		}
		m, err := c.TakeDNS()
		switch {
		case err != nil:
			return err
		case m == nil:
			v.Return(nil)
		case m.ID != q.ID:
			return errOtherAnswer
		default:
			v.Return(shownAnswer(m))
		}
		return nil
	}}
}

func (g *grams) askWord(v verb.Call) error {
	g.next++
	q, err := readQuestion(v, g.next)
	if err != nil {
		return err
	}
	p, err := q.Append(nil, 0)
	if err != nil {
		return err
	}
	g.sock.SendTo(p, g.to)
	if err := v.Settle(); err != nil {
		return err
	}
	for p = g.take(); p != nil; p = g.take() {
		m, err := dns.Parse(p)
		if err != nil {
			return err
		}
		if m.ID == q.ID {
			v.Return(shownAnswer(m))
			return nil
		}
	}
	v.Return(nil)
	return nil
}
