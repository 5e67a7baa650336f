package web

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

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
	d       *desk
	c       *loop.Conn
	key     string
	cur     *query // nil between requests
	p       *http1.Parser
	content content
	// inBody: the head is there. begun: something of a response is. used: an earlier
	// response was whole. ended: the server's stream is, behind what was not read yet.
	inBody, begun, used, ended bool
	head                       []byte
	// paced: what came waits for the loop's next turn, since enough was inflated in this one.
	paced bool
	turn  event.Timer
}

var _ loop.Session = (*asker)(nil)

// dial begins a connection to a server.
func (d *desk) dial(q *query) (*asker, error) {
	var a *asker
	want := loop.Dialing{URL: q.server(), Dir: q.q.Dir, Protocol: d.p, Session: func(c *loop.Conn) loop.Session {
		a = &asker{d: d, c: c, key: q.key(), p: http1.NewParser(http1.Limits{}), content: content{counts: &d.p.counts}}
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
	a.content.drop()
	a.cur, a.inBody, a.begun, a.used, a.head = nil, false, false, true, nil
	d := a.d
	// A server that ended its stream answers nothing more. A loop that drains waits for its
	// connections, also for those nobody uses.
	if a.ended || d.stack.Loop().Draining() || a.c.Unread() > 0 || len(d.pool[a.key]) >= poolIdle || d.pooled >= poolTotal || !a.c.Net().Open() {
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

// Open says that the connection is up.
func (a *asker) Open(*loop.Conn) {
	if a.cur != nil && a.cur.up != nil {
		a.cur.up.connected()
	}
}

// Sent lets a script go on that waited until its part of a body was written.
func (a *asker) Sent(c *loop.Conn, _ int) {
	if a.cur != nil && a.cur.up != nil && c.Queued() == 0 {
		a.cur.up.wrote()
	}
}

// Recv reads a response. What comes unasked ends the connection.
func (a *asker) Recv(c *loop.Conn) {
	a.read(c, len(a.content.got)+inflateTurn)
	if a.ended && !a.paced && !a.detached() {
		a.end()
		c.Net().CloseWith(netio.Reason{Why: netio.EOF})
	}
}

// read reads what is there, until so many bytes of a response are made of what is
// compressed: the rest waits for the loop's next turn.
func (a *asker) read(c *loop.Conn, most int) {
	a.paced = false
	for b := c.Bytes(); len(b) > 0; b = c.Bytes() {
		if a.cur == nil {
			c.Skip(len(b))
			c.Net().Close()
			return
		}
		if a.content.z != nil && len(a.content.got) > most {
			a.paced = true
			l := a.d.stack.Loop()
			l.Shard().Timers().Arm(&a.turn, l.Now(), func(int64) { c.Again() })
			l.Stir()
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
		if a.inBody && a.content.over() {
			a.finish(a.p.KeepAlive)
		}
		if n == 0 || a.detached() {
			return
		}
	}
}

// take takes a head or a part of a body, and returns how many bytes that was.
func (a *asker) take(b []byte) (int, error) {
	if a.inBody {
		return a.content.take(b)
	}
	n, err := a.p.Response(b)
	if err != nil || n == 0 {
		return 0, err
	}
	if a.p.Status < 200 {
		switch {
		case a.p.Status == 101:
			return 0, errors.New("the server changes the protocol unasked")
		case a.p.Status == 100 && a.cur.up != nil:
			a.cur.up.wanted()
		}
		a.p.Reset()
		return n, nil
	}
	if u := a.cur.up; u != nil {
		if u.unasked(a.p.Status) {
			a.cur = nil // it has another connection
			a.c.Net().Close()
			return n, nil
		}
		if u.answers(a.p.Status); a.cur == nil {
			return n, nil // the script gave it up when it heard of that
		}
	}
	a.p.Answers(a.cur.q.Method)
	a.head = append([]byte(nil), b[:n]...)
	a.p.Move(a.head)
	a.inBody = true
	return n, a.content.begin(&a.p.Head, a.p.Limits(), a.cur.q.Max, a.cur.inflate)
}

// finish tells the response, and keeps the connection if that is possible.
func (a *asker) finish(keep bool) {
	cur, h := a.cur, &a.p.Head
	res := &response{h: h, body: a.content.got, inflated: a.content.z != nil}
	if sh := a.c.Shard(); loopev.OnHTTPResponse.Wanted(sh) {
		e := &a.d.events.response
		*e = loopev.HTTPResponse{C: a.c, Res: res, Status: uint16(h.Status), URL: cur.at.String()}
		loopev.OnHTTPResponse.Emit(sh, e)
	}
	if a.cur == nil {
		return // the handler gave the request up, or uses the connection for something else
	}
	answer := res.plain()
	a.cur = nil
	redirected := !cur.over && cur.again(h)
	if keep && (cur.up == nil || cur.up.whole()) {
		a.rest()
	} else {
		cur.close(a)
	}
	if !redirected {
		cur.end(answer, nil)
	}
}

// EOF ends a response that lasts until then.
func (a *asker) EOF(*loop.Conn) bool {
	if a.paced {
		a.ended = true
		return true
	}
	a.end()
	return false
}

// end is the end of what the server sends.
func (a *asker) end() {
	if a.cur != nil && a.inBody && !a.content.over() {
		if err := a.content.close(); err == nil {
			a.finish(false)
		} else if err != http1.ErrCut {
			a.lost(err)
		}
	}
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
func (a *asker) Close(c *loop.Conn, why netio.Reason) {
	a.d.remove(a)
	a.c.Shard().Timers().Stop(&a.turn)
	if a.paced {
		a.read(c, math.MaxInt) // it came before the end
	}
	defer a.content.drop()
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

// Detach lets go of a connection that a script uses for something else.
func (a *asker) Detach(*loop.Conn) {
	a.d.remove(a)
	timers := a.c.Shard().Timers()
	timers.Stop(&a.turn)
	if a.content.z != nil {
		l := a.d.stack.Loop()
		timers.Arm(&a.turn, l.Now(), func(int64) { a.content.drop() }) // and not in the handler
		l.Stir()
	}
	if cur := a.cur; cur != nil {
		a.cur = nil
		cur.end(nil, errors.New("http: its connection is used for something else"))
	}
}

// detached reports whether a handler gave the connection to something else.
func (a *asker) detached() bool { return a.c.Session() != loop.Session(a) }

// lost ends a request without a response.
func (a *asker) lost(err error) {
	cur := a.cur
	a.cur = nil
	a.content.drop()
	a.c.Net().Close()
	cur.end(nil, fmt.Errorf("http: %s %s: %w", cur.q.Method, cur.at.Redacted(), err))
}

// response is loopev.Response for handlers, to whom it is lent.
type response struct {
	h    *http1.Head
	body []byte
	// inflated: the body is no longer as the fields content-encoding and content-length say.
	inflated bool
}

var _ loopev.Response = (*response)(nil)

// Status returns the status.
func (r *response) Status() uint16 { return uint16(r.h.Status) }

// Reason returns the words behind it.
func (r *response) Reason() string { return string(r.h.Reason()) }

// Headers returns all fields that are true of the body.
func (r *response) Headers() any {
	list := fieldsOf(r.h)
	if r.inflated {
		list = slices.DeleteFunc(list, func(f event.KV) bool { return ofCoding(f.Key) })
	}
	return list
}

// Body returns the body, lent.
func (r *response) Body() []byte { return r.body }

// Header returns a field.
func (r *response) Header(name string) (string, bool) {
	if r.inflated && ofCoding(strings.ToLower(name)) {
		return "", false
	}
	return fieldOf(r.h, name)
}

// ofCoding reports whether a field is about the content as it was on its way.
func ofCoding(name string) bool { return name == "content-encoding" || name == "content-length" }

// plain is what http.get returns.
func (r *response) plain() any {
	return []event.KV{
		{Key: "status", Value: float64(r.h.Status)},
		{Key: "reason", Value: string(r.h.Reason())},
		{Key: "headers", Value: r.Headers()},
		{Key: "body", Value: string(r.body)},
	}
}
