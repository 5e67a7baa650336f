package loop

import (
	"errors"
	"path/filepath"
	"time"

	"github.com/hookd/hookd/engine/event"
)

// Asker is a [Protocol] that asks HTTP servers for scripts which wait.
type Asker interface {
	Protocol
	// Ask asks, in the stack's shard, and calls done once, perhaps before it returns;
	// never, where nobody waits for it any more.
	Ask(by *event.Caller, s *Stack, q Ask, done func(response any, err error))
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
	s, err := g.of(by, "http")
	if err != nil {
		done(nil, err)
		return
	}
	for _, p := range g.cfg.Protocols {
		if a, ok := p.(Asker); ok {
			q.Body, q.Dir = append([]byte(nil), q.Body...), filepath.Dir(by.Script)
			a.Ask(by, s, q, done)
			return
		}
	}
	done(nil, errNoAsker)
}
