package web

import (
	"errors"
	"fmt"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/plain"
	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/loop/http1"
	"github.com/hookd/hookd/stacks/loop/ws"
)

// Sockets is "ws" for loop.Config, beside the [Protocol] that it belongs to: what a
// connection speaks that was HTTP's, and what is dialled by ws:// and wss://.
type Sockets struct{ p *Protocol }

var _ loop.Protocol = (*Sockets)(nil)

// Sockets returns the protocol of WebSockets.
func (p *Protocol) Sockets() *Sockets { return p.sockets() }

func (p *Protocol) sockets() *Sockets { return &p.ws }

// Name returns "ws".
func (w *Sockets) Name() string { return "ws" }

// Schemes returns ws and wss.
func (w *Sockets) Schemes() []loop.Scheme {
	return []loop.Scheme{{Name: "ws", Network: "tcp", Port: 80}, {Name: "wss", Network: "tcp", TLS: true, Port: 443}}
}

// Options reads the table http of a listener, which serves HTTP, too; of loop.dial
// the path that is in the URL, protocols and headers.
func (w *Sockets) Options(list []event.KV, inbound bool) (any, error) {
	if inbound {
		return parseOptions(list)
	}
	q := &ws.Request{}
	for _, kv := range list {
		var err error
		switch kv.Key {
		case "path":
			if err = plain.SetString(&q.Path, kv.Value); err == nil && !http1.IsValue(q.Path) {
				err = errors.New("a control character")
			}
		case "host":
			err = plain.SetString(&q.Host, kv.Value)
		case "protocols":
			err = plain.SetStrings(&q.Protocols, kv.Value)
		case "headers":
			q.Fields, err = requestFields(kv.Value)
		default:
			err = errors.New("unknown: protocols, host and headers are known")
		}
		if err != nil {
			return nil, fmt.Errorf("ws: %s: %w", kv.Key, err)
		}
	}
	for _, p := range q.Protocols {
		if !http1.IsToken(p) {
			return nil, fmt.Errorf("ws: protocols: %q is no name", p)
		}
	}
	if !http1.IsValue(q.Host) {
		return nil, errors.New("ws: host: a control character")
	}
	return q, nil
}

// Attach serves HTTP on a connection that came in, and begins a handshake on one that
// is dialled.
func (w *Sockets) Attach(c *loop.Conn, given any) (loop.Session, error) {
	if c.Inbound() {
		return w.p.Attach(c, given)
	}
	q, _ := given.(*ws.Request)
	if q == nil {
		q = &ws.Request{}
	}
	own := *q
	if own.Host == "" {
		own.Host = c.Server().Endpoint().String()
	}
	return ws.Dial(c, ws.Config{Flater: &w.p.desk(c.Stack()).flater}, own), nil
}
