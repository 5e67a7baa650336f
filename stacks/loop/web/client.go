package web

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/loop/http1"
)

const (
	maxAsking       = 1000             // requests of a shard at once
	poolIdle        = 16               // unused connections to one server
	poolTotal       = 256              // unused connections of a shard
	poolTime        = 30 * time.Second // that they are kept
	defaultTimeout  = 10 * time.Second
	defaultResponse = 1 << 20
	maxRedirects    = 20
)

// query is a request to a server for which a script waits.
type query struct {
	d         *desk
	q         loop.Ask
	at        *url.URL
	redirects int
	fresh     bool    // only a connection that was never used before will do
	inflate   bool    // the script left to us how the response is coded
	up        *upload // its body comes in parts; nil: it is whole
	conn      *asker
	timer     event.Timer
	done      func(any, error)
	over      bool
}

// Ask implements [loop.Asker].
func (p *Protocol) Ask(by *event.Caller, s *loop.Stack, q loop.Ask, done func(any, error)) {
	a := &query{d: p.desk(s), q: q, redirects: min(q.Redirects, maxRedirects), done: done}
	if err := a.admit(); err != nil {
		done(nil, err)
		return
	}
	if by.Waiter != nil {
		by.Waiter.OnCancel(func() { a.end(nil, nil) })
	}
	a.start()
}

// admit takes a request on, or says why it cannot be sent.
func (a *query) admit() error {
	err := a.check()
	if err == nil && a.d.asking >= maxAsking {
		err = fmt.Errorf("%d requests are under way already", maxAsking)
	}
	if err != nil {
		return fmt.Errorf("http: %w", err)
	}
	a.d.asking++
	return nil
}

// start begins the request, unless nobody wants it any more.
func (a *query) start() {
	if a.over {
		return
	}
	s := a.d.stack
	s.Shard().Timers().Arm(&a.timer, s.Loop().Now()+int64(a.q.Timeout), func(int64) {
		a.end(nil, errors.New("http: timeout"))
	})
	a.begin()
	s.Loop().Stir()
}

// check fills defaults in and refuses what cannot be sent.
func (a *query) check() error {
	q := &a.q
	if q.Timeout <= 0 {
		q.Timeout = defaultTimeout
	}
	if q.Max <= 0 {
		q.Max = defaultResponse
	}
	if !http1.IsToken(q.Method) {
		return fmt.Errorf("%q is no method", q.Method)
	}
	at, err := url.Parse(q.URL)
	if err != nil {
		return err
	}
	return a.point(at)
}

// point has the request go to a URL.
func (a *query) point(at *url.URL) error {
	at.Scheme = strings.ToLower(at.Scheme)
	switch {
	case at.Scheme != "http" && at.Scheme != "https":
		return fmt.Errorf("url: http:// or https:// expected, got %q", a.q.URL)
	case at.Hostname() == "":
		return fmt.Errorf("url: no host in %q", a.q.URL)
	case at.User != nil:
		return errors.New("url: no user and password here: use the header authorization")
	}
	a.at = at
	return nil
}

// begin sends the request by a connection that is free, or by a new one.
func (a *query) begin() {
	out, err := a.head()
	if err != nil {
		a.end(nil, err)
		return
	}
	var c *asker
	if !a.fresh {
		c = a.d.free(a.key())
	}
	if c == nil {
		if c, err = a.d.dial(a); err != nil {
			a.end(nil, fmt.Errorf("http: %w", err))
			return
		}
	}
	a.conn, c.cur = c, a
	c.c.Net().Deadline("", 0)
	// Where the connection is gone already its Close says so.
	_ = c.c.Net().Send(out)
	_ = c.c.Net().Send(a.q.Body)
}

// server is the URL of the server alone.
func (a *query) server() string { return a.at.Scheme + "://" + a.at.Host }

// key names the connections that serve the request.
func (a *query) key() string {
	if a.q.TLS == nil {
		return a.server()
	}
	return fmt.Sprintf("%s %s %v", a.server(), a.q.Dir, a.q.TLS)
}

// head is the request up to its body.
func (a *query) head() ([]byte, error) {
	target := a.at.EscapedPath()
	if target == "" {
		target = "/"
	}
	if a.at.RawQuery != "" {
		target += "?" + a.at.RawQuery
	}
	if !http1.IsValue(target) || strings.ContainsAny(target, " \t") {
		return nil, fmt.Errorf("http: url: %q cannot be asked for", target)
	}
	out := http1.AppendRequest(nil, a.q.Method, target)
	out = http1.AppendField(out, "Host", a.at.Host)
	list, err := requestFields(a.q.Headers)
	if err != nil {
		return nil, err
	}
	agent := false
	a.inflate = a.q.Method != "HEAD"
	for _, f := range list {
		out = http1.AppendField(out, f[0], f[1])
		switch strings.ToLower(f[0]) {
		case "user-agent":
			agent = true
		case "accept-encoding", "range": // a part of what is compressed inflates to nothing
			a.inflate = false
		}
	}
	if !agent {
		out = http1.AppendField(out, "User-Agent", "hookd")
	}
	if a.inflate {
		out = http1.AppendField(out, "Accept-Encoding", "gzip")
	}
	return append(a.framing(out), "\r\n"...), nil
}

// framing says how long the body is.
func (a *query) framing(out []byte) []byte {
	switch {
	case a.up != nil:
		out = append(out, "Transfer-Encoding: chunked\r\n"...)
		if a.up.asks {
			out = append(out, "Expect: 100-continue\r\n"...)
		}
		return out
	case len(a.q.Body) == 0 && (a.q.Method == "GET" || a.q.Method == "HEAD"):
		return out
	}
	return http1.AppendLength(out, int64(len(a.q.Body)))
}

// requestFields reads a script's fields; those about framing are refused.
func requestFields(fields any) ([][2]string, error) {
	list, ok := fields.([]event.KV)
	if empty, isList := fields.([]any); !ok && fields != nil && (!isList || len(empty) > 0) {
		return nil, errors.New("http: headers: a table of names and values expected")
	}
	var all [][2]string
	for _, kv := range list {
		switch strings.ToLower(kv.Key) {
		case "host", "content-length", "transfer-encoding", "connection", "upgrade", "expect":
			return nil, fmt.Errorf("http: headers: %s is not a script's to say", kv.Key)
		}
		text, err := fieldText(kv.Value)
		if err == nil && !http1.IsToken(kv.Key) {
			err = errors.New("no name of a field")
		}
		if err != nil {
			return nil, fmt.Errorf("http: headers: %s: %w", kv.Key, err)
		}
		all = append(all, [2]string{kv.Key, text})
	}
	return all, nil
}

// end tells the script, once, and lets go of the connection if it is still used.
func (a *query) end(response any, err error) {
	if a.over {
		return
	}
	a.over = true
	a.d.asking--
	a.d.stack.Shard().Timers().Stop(&a.timer)
	if c := a.conn; c != nil && c.cur == a {
		c.cur = nil
		a.close(c)
	}
	if response != nil || err != nil {
		a.done(response, err)
	}
}

// again follows a redirection, where one is given and wanted. It reports whether it
// does.
func (a *query) again(h *http1.Head) bool {
	if a.redirects == 0 {
		return false
	}
	to, ok := fieldOf(h, "location")
	switch {
	case !ok:
		return false
	case h.Status == 303 || (h.Status == 301 || h.Status == 302) && a.q.Method == "POST":
		if a.q.Method != "HEAD" {
			a.q.Method = "GET"
		}
		a.q.Body = nil
	case h.Status != 301 && h.Status != 302 && h.Status != 307 && h.Status != 308:
		return false
	}
	at, err := a.at.Parse(to)
	if err != nil {
		return false
	}
	from := a.at
	if a.point(at) != nil {
		return false
	}
	// What is secret is for one server, and not for the clear where it was not before.
	exposed := from.Host != at.Host || from.Scheme == "https" && at.Scheme == "http"
	if list, ok := a.q.Headers.([]event.KV); ok && exposed {
		var kept []event.KV
		for _, kv := range list {
			if !strings.EqualFold(kv.Key, "authorization") && !strings.EqualFold(kv.Key, "cookie") {
				kept = append(kept, kv)
			}
		}
		a.q.Headers = kept
	}
	if from.Host != at.Host {
		a.q.TLS = nil
	}
	a.redirects--
	a.conn, a.fresh = nil, false
	a.begin()
	return true
}
