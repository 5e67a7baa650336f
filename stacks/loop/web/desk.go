package web

import (
	"compress/gzip"
	"sync/atomic"

	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/loop/http1"
	"github.com/hookd/hookd/stacks/netio/wsframe"
)

// desk is what the sessions of one shard share, since one of them runs at a time.
type desk struct {
	p      *Protocol
	stack  *loop.Stack
	files  atomic.Int32 // that are being read
	asking int          // requests to servers
	pool   map[string][]*asker
	pooled int
	out    []byte // what is about to be sent
	date   http1.Date
	words  map[string]string
	spare  *request
	spares int
	zips   []*gzip.Writer
	flater wsframe.Flater
	events struct {
		headers  loopev.HTTPHeaders
		chunk    loopev.HTTPChunk
		data     loopev.HTTPPartData
		request  loopev.HTTPRequest
		response loopev.HTTPResponse
		err      loopev.HTTPError
	}
}

const (
	maxWords   = 4096      // texts that are kept since they come again
	maxWordLen = 128       // of which none is longer
	maxSpares  = 64        // requests that are kept for the next
	keptOut    = 256 << 10 // of the buffer for what is sent
)

// word returns b as a text, the same one for the same bytes: methods, hosts and
// paths come again and again.
func (d *desk) word(b []byte) string {
	if len(b) > maxWordLen {
		return string(b)
	}
	if s, ok := d.words[string(b)]; ok {
		return s
	}
	if d.words == nil || len(d.words) >= maxWords {
		d.words = map[string]string{}
	}
	s := string(b)
	d.words[s] = s
	return s
}

// request returns one that is ready to read.
func (d *desk) request(o *options) *request {
	r := d.spare
	if r == nil {
		return &request{d: d, p: http1.NewParser(o.limits)}
	}
	d.spare, r.next = r.next, nil
	d.spares--
	r.p.Limit(o.limits)
	return r
}

// release takes a request back that nobody uses any more.
func (d *desk) release(r *request) {
	if d.spares >= maxSpares {
		return
	}
	p, own := r.p, r.own[:0]
	if cap(own) > 4<<10 {
		own = nil
	}
	p.Reset()
	*r = request{d: d, p: p, own: own, next: d.spare}
	d.spare = r
	d.spares++
}

// sent keeps the buffer for the next time.
func (d *desk) sent(out []byte) {
	if cap(out) <= keptOut {
		d.out = out[:0]
	}
}
