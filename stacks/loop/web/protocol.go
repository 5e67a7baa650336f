package web

import (
	"sync"
	"sync/atomic"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/stacks/loop"
)

// Protocol is "http" for loop.Config.
type Protocol struct {
	desks sync.Map // *loop.Stack -> *desk
	live  sync.WaitGroup
	// reading is how many goroutines read files, and do not wait for a queue to be short.
	reading atomic.Int64
	counts  counts
	uploads atomic.Uint64 // so far
	ws      Sockets
}

var _ loop.Asker = (*Protocol)(nil)

// New returns the protocol.
func New() *Protocol {
	p := &Protocol{}
	p.ws.p = p
	return p
}

// Name returns "http".
func (p *Protocol) Name() string { return "http" }

// Schemes returns http and https.
func (p *Protocol) Schemes() []loop.Scheme {
	return []loop.Scheme{{Name: "http", Network: "tcp", Port: 80}, {Name: "https", Network: "tcp", TLS: true, Port: 443}}
}

// Options reads the table http of a listener. What is dialled by loop.dial has none.
func (p *Protocol) Options(list []event.KV, inbound bool) (any, error) {
	if !inbound {
		return &defaults, nil
	}
	return parseOptions(list)
}

// Attach serves a connection that came in. On one that was dialled the script writes
// and reads itself.
func (p *Protocol) Attach(c *loop.Conn, given any) (loop.Session, error) {
	if !c.Inbound() {
		return loop.BaseSession{}, nil
	}
	o, _ := given.(*options)
	if o == nil {
		o = &defaults
	}
	return &server{c: c, d: p.desk(c.Stack()), opt: o}, nil
}

// Wait returns when no goroutine that reads a file is left: after the loops ended.
func (p *Protocol) Wait() { p.live.Wait() }

// Busy reports whether files are being read. The caller has entered no shard.
func (p *Protocol) Busy() bool { return p.reading.Load() > 0 }

// desk returns what the sessions of a shard share.
func (p *Protocol) desk(s *loop.Stack) *desk {
	if d, ok := p.desks.Load(s); ok {
		return d.(*desk)
	}
	d, _ := p.desks.LoadOrStore(s, &desk{p: p, stack: s})
	return d.(*desk)
}
