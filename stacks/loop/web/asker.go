package web

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/loop/http1"
	"github.com/hookd/hookd/stacks/netio"
)

// asker is the session of a connection to a server. One request is under way at a
// time; between them it is in its desk's pool.
type asker struct {
	loop.BaseSession
	d    *desk
	c    *loop.Conn
	key  string
	cur  *query // nil between requests
	p    *http1.Parser
	body http1.Body
	got  []byte // of the body
	// inBody: the head is there. begun: something of a response is. used: an earlier
	// response was whole.
	inBody, begun, used bool
	head                []byte
}

var _ loop.Session = (*asker)(nil)

// dial begins a connection to a server.
func (d *desk) dial(q *query) (*asker, error) {
	var a *asker
	want := loop.Dialing{URL: q.server(), Dir: q.q.Dir, Protocol: d.p, Session: func(c *loop.Conn) loop.Session {
		a = &asker{d: d, c: c, key: q.key(), p: http1.NewParser(http1.Limits{})}
		return a
	}}
	if q.q.TLS != nil && q.at.Scheme == "https" {
		want.Options = []event.KV{{Key: "tls", Value: q.q.TLS}}
	}
	_, err := d.stack.Dial(want)
	return a, err
}

// free takes a connection out of the pool that can be used again, or returns nil.
func (d *desk) free(key string) *asker {
	for list := d.pool[key]; len(list) > 0; list = d.pool[key] {
		a := list[len(list)-1]
		d.remove(a)
		if a.c.Net().Open() {
			return a
		}
	}
	return nil
}

// remove takes a connection out of the pool.
func (d *desk) remove(a *asker) {
	list := d.pool[a.key]
	i := slices.Index(list, a)
	if i < 0 {
		return
	}
	d.pooled--
	if list = slices.Delete(list, i, i+1); len(list) == 0 {
		delete(d.pool, a.key)
	} else {
		d.pool[a.key] = list
	}
}

// rest puts a connection into the pool, or closes it.
func (a *asker) rest() {
	a.p.Reset()
	a.cur, a.inBody, a.begun, a.used, a.got, a.head = nil, false, false, true, nil, nil
	d := a.d
	// A loop that drains waits for its connections, also for those nobody uses.
	if d.stack.Loop().Draining() || a.c.Unread() > 0 || len(d.pool[a.key]) >= poolIdle || d.pooled >= poolTotal || !a.c.Net().Open() {
		a.c.Net().Close()
		return
	}
	if d.pool == nil {
		d.pool = map[string][]*asker{}
	}
	d.pool[a.key] = append(d.pool[a.key], a)
	d.pooled++
	a.c.Net().Deadline("idle", poolTime)
}

// Recv reads a response. What comes unasked ends the connection.
func (a *asker) Recv(c *loop.Conn) {
	for b := c.Bytes(); len(b) > 0; b = c.Bytes() {
		if a.cur == nil {
			c.Skip(len(b))
			c.Net().Close()
			return
		}
		a.begun = true
		n, err := a.take(b)
		if err != nil {
			a.lost(err)
			c.Skip(len(b))
			return
		}
		c.Skip(n)
		if a.inBody && a.body.Done() {
			a.finish(a.p.KeepAlive)
		}
		if n == 0 {
			return
		}
	}
}

// take takes a head or a part of a body, and returns how many bytes that was.
func (a *asker) take(b []byte) (int, error) {
	if a.inBody {
		data, n, err := a.body.Next(b)
		if err != nil {
			return 0, err
		}
		if int64(len(a.got)+len(data)) > a.cur.q.Max {
			return 0, fmt.Errorf("the response is longer than %d bytes", a.cur.q.Max)
		}
		a.got = append(a.got, data...)
		return n, nil
	}
	n, err := a.p.Response(b)
	if err != nil || n == 0 {
		return 0, err
	}
	if a.p.Status < 200 {
		if a.p.Status == 101 {
			return 0, errors.New("the server changes the protocol unasked")
		}
		a.p.Reset()
		return n, nil
	}
	a.p.Answers(a.cur.q.Method)
	if a.p.Framing == http1.ByLength && a.p.Length > a.cur.q.Max {
		return 0, fmt.Errorf("the response is longer than %d bytes", a.cur.q.Max)
	}
	a.head = append([]byte(nil), b[:n]...)
	a.p.Move(a.head)
	a.body.Begin(&a.p.Head, a.p.Limits())
	a.inBody = true
	return n, nil
}

// finish tells the response, and keeps the connection if that is possible.
func (a *asker) finish(keep bool) {
	cur, h := a.cur, &a.p.Head
	res := &response{h: h, body: a.got}
	if sh := a.c.Shard(); loopev.OnHTTPResponse.Wanted(sh) {
		e := &a.d.events.response
		*e = loopev.HTTPResponse{C: a.c, Res: res, Status: uint16(h.Status), URL: cur.at.String()}
		loopev.OnHTTPResponse.Emit(sh, e)
	}
	answer := res.plain()
	a.cur = nil
	redirected := !cur.over && cur.again(h)
	if keep {
		a.rest()
	} else {
		a.c.Net().Close()
	}
	if !redirected {
		cur.end(answer, nil)
	}
}

// EOF ends a response that lasts until then.
func (a *asker) EOF(*loop.Conn) bool {
	if a.cur != nil && a.inBody && a.body.Close() == nil {
		a.finish(false)
	}
	return false
}

// Quit lets a request that is under way end.
func (a *asker) Quit(c *loop.Conn) {
	if a.cur == nil {
		c.Net().CloseWith(netio.Reason{Why: netio.Stopped})
	}
}

// Close tells who waits that no response comes. A connection that was used before
// may have been closed by the server just when the request was sent: what can be
// repeated is, by a new one (RFC 9110 section 9.2.2).
func (a *asker) Close(_ *loop.Conn, why netio.Reason) {
	a.d.remove(a)
	cur := a.cur
	if cur == nil {
		return
	}
	if a.used && !a.begun && !cur.fresh && cur.q.Method != "POST" && cur.q.Method != "PATCH" {
		a.cur, cur.conn, cur.fresh = nil, nil, true
		cur.begin()
		return
	}
	text := why.String()
	if why.Err != nil {
		text = why.Err.Error()
	}
	a.lost(errors.New(text))
}

// lost ends a request without a response.
func (a *asker) lost(err error) {
	cur := a.cur
	a.cur = nil
	a.c.Net().Close()
	cur.end(nil, fmt.Errorf("http: %s %s: %w", cur.q.Method, cur.at.Redacted(), err))
}

// response is loopev.Response for handlers, to whom it is lent.
type response struct {
	h    *http1.Head
	body []byte
}

var _ loopev.Response = (*response)(nil)

// Status returns the status.
func (r *response) Status() uint16 { return uint16(r.h.Status) }

// Reason returns the words behind it.
func (r *response) Reason() string { return string(r.h.Reason()) }

// Headers returns all fields.
func (r *response) Headers() any { return fieldsOf(r.h) }

// Body returns the body, lent.
func (r *response) Body() []byte { return r.body }

// Header returns a field.
func (r *response) Header(name string) (string, bool) { return fieldOf(r.h, name) }

// plain is what http.get returns.
func (r *response) plain() any {
	return []event.KV{
		{Key: "status", Value: float64(r.h.Status)},
		{Key: "reason", Value: string(r.h.Reason())},
		{Key: "headers", Value: fieldsOf(r.h)},
		{Key: "body", Value: string(r.body)},
	}
}
