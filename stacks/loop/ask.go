package loop

import (
	"errors"
	"path/filepath"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
)

// Asker is a [Protocol] that asks HTTP servers for scripts which wait.
type Asker interface {
	Protocol
	// Ask asks, in the stack's shard, and calls done once, perhaps before it returns;
	// never, where nobody waits for it any more.
	Ask(by *event.Caller, s *Stack, q Ask, done func(response any, err error))
	// Upload begins a request in the stack's shard whose body comes in parts. With expect
	// the server is asked first whether it wants the body.
	Upload(s *Stack, q Ask, expect bool) (loopev.Upload, error)
}

// Ask is a request to a server.
type Ask struct {
	Method, URL string
	Body        []byte // the asker's from the call on
	Headers     any
	// Timeout bounds the whole, Redirects how many are followed, Max the bytes of the
	// response's body; 0 means the asker's default.
	Timeout   time.Duration
	Redirects int
	Max       int64
	// TLS is the table tls of loop.dial, nil for none; Dir is where files are that it names.
	TLS any
	Dir string
}

var errNoAsker = errors.New("no protocol here asks servers")

// HTTPGet implements [loopev.Functions].
func (g *Group) HTTPGet(by *event.Caller, url string, headers any, timeout time.Duration, _ bool, redirects uint32, _ bool, most int64, _ bool, tls any, done func(any, error)) {
	g.ask(by, Ask{Method: "GET", URL: url, Headers: headers, Timeout: timeout, Redirects: int(redirects), Max: most, TLS: tls}, done)
}

// HTTPPost implements [loopev.Functions].
func (g *Group) HTTPPost(by *event.Caller, url string, body []byte, headers any, timeout time.Duration, _ bool, redirects uint32, _ bool, most int64, _ bool, tls any, done func(any, error)) {
	g.ask(by, Ask{Method: "POST", URL: url, Body: body, Headers: headers, Timeout: timeout, Redirects: int(redirects), Max: most, TLS: tls}, done)
}

// HTTPRequest implements [loopev.Functions].
func (g *Group) HTTPRequest(by *event.Caller, url, method string, body []byte, headers any, timeout time.Duration, _ bool, redirects uint32, _ bool, most int64, _ bool, tls any, done func(any, error)) {
	g.ask(by, Ask{Method: method, URL: url, Body: body, Headers: headers, Timeout: timeout, Redirects: int(redirects), Max: most, TLS: tls}, done)
}

func (g *Group) ask(by *event.Caller, q Ask, done func(any, error)) {
	a, s, err := g.asker(by)
	if err != nil {
		done(nil, err)
		return
	}
	q.Body, q.Dir = append([]byte(nil), q.Body...), filepath.Dir(by.Script)
	a.Ask(by, s, q, done)
}

// HTTPUpload implements [loopev.Functions].
func (g *Group) HTTPUpload(by *event.Caller, url, method string, headers any, expect bool, timeout time.Duration, _ bool, most int64, _ bool, tls any) (loopev.Upload, error) {
	a, s, err := g.asker(by)
	if err != nil {
		return nil, err
	}
	if method == "" {
		method = "POST"
	}
	return a.Upload(s, Ask{Method: method, URL: url, Headers: headers, Timeout: timeout, Max: most, TLS: tls, Dir: filepath.Dir(by.Script)}, expect)
}

// asker returns who asks servers, and the stack that a call comes from.
func (g *Group) asker(by *event.Caller) (Asker, *Stack, error) {
	s, err := g.of(by, "http")
	if err != nil {
		return nil, nil, err
	}
	for _, p := range g.cfg.Protocols {
		if a, ok := p.(Asker); ok {
			return a, s, nil
		}
	}
	return nil, nil, errNoAsker
}
