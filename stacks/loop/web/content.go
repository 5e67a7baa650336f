package web

import (
	"fmt"
	"sync/atomic"

	"github.com/hookd/hookd/stacks/loop/http1"
)

// counts are what the protocol counts, in all shards.
type counts struct{ inflated, damaged, tooLong atomic.Uint64 }

// Stats are what was counted of responses.
type Stats struct {
	// Inflated responses came compressed. Damaged ones did not inflate, TooLong ones were
	// longer than who asked takes, as they came or inflated.
	Inflated, Damaged, TooLong uint64
}

// Stats returns the counters so far. Any goroutine may ask.
func (p *Protocol) Stats() any {
	c := &p.counts
	return Stats{Inflated: c.inflated.Load(), Damaged: c.damaged.Load(), TooLong: c.tooLong.Load()}
}

// content is the body of a response as it comes: taken off its framing, and off the coding
// that this side asked for.
type content struct {
	counts *counts
	body   http1.Body
	z      *inflater // nil where there is nothing to inflate
	got    []byte
	most   int64 // bytes that got may have
	left   int64 // and those that may come yet to make them
}

// begin is the end of a head. inflate says whether this side chose how it is coded.
func (t *content) begin(h *http1.Head, limits *http1.Limits, most int64, inflate bool) error {
	t.most, t.left = most, most
	t.body.Begin(h, limits)
	if coding, _ := fieldOf(h, "content-encoding"); inflate && !t.body.Done() && h.Status != 206 {
		t.z = newInflater(coding)
	}
	if t.z != nil {
		// What does not get smaller grows a little: 5 bytes for each 16 KiB, and its own head.
		t.left += most>>10 + 4096
	}
	if h.Framing == http1.ByLength && h.Length > t.left {
		return t.tooLong()
	}
	return nil
}

// over reports whether all of it is there.
func (t *content) over() bool { return t.body.Done() }

// take takes the next part from the front of p and returns how much that was.
func (t *content) take(p []byte) (int, error) {
	if t.z != nil {
		p = p[:min(len(p), inflateStep)]
	}
	data, n, err := t.body.Next(p)
	if err != nil {
		return 0, err
	}
	if t.left -= int64(len(data)); t.left < 0 {
		return 0, t.tooLong()
	}
	if t.z != nil {
		return n, t.inflate(data, t.over())
	}
	t.got = append(t.got, data...)
	return n, nil
}

// close says that the connection ended.
func (t *content) close() error {
	if err := t.body.Close(); err != nil || t.z == nil {
		return err
	}
	return t.inflate(nil, true)
}

func (t *content) inflate(data []byte, last bool) error {
	var err error
	t.got, err = t.z.append(t.got, data, last, t.most)
	switch {
	case err == errInflateMost:
		return t.tooLong()
	case err != nil:
		t.counts.damaged.Add(1)
		return fmt.Errorf("the response does not inflate: %w", err)
	case last:
		t.counts.inflated.Add(1)
	}
	return nil
}

func (t *content) tooLong() error {
	t.counts.tooLong.Add(1)
	return fmt.Errorf("the response is longer than %d bytes", t.most)
}

// drop ends it, whole or not.
func (t *content) drop() {
	if t.z != nil {
		t.z.stop()
	}
	*t = content{counts: t.counts}
}
