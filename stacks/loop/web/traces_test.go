package web

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
)

// TestTraces has the traces of HTTP in the 2016 event model, by their numbers; most tell
// of what was wrong there.
func TestTraces(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		send []string
		seen []int // lines that are told before the next is sent
		want []string
	}{
		{"trace 13: two requests in one write are two", []string{"GET /a HTTP/1.1\nHost: x\n\nGET /b HTTP/1.1\nHost: x\n\n"}, nil, []string{
			`request /a ""`, `request /b ""`, "close eof",
		}},
		{
			"trace 14: a request in two writes, its body in three",
			[]string{"POST /p HTTP/1.1\nHost: x\n", "Content-Length: 6\n\nab", "cd", "ef"},
			[]int{0, 1, 2},
			[]string{`chunk 0 "ab"`, `chunk 2 "cd"`, `chunk 4 "ef"`, `request /p "abcdef"`, "close eof"},
		},
		{
			"trace 15: chunks over two writes are one request, and decoded",
			[]string{"POST /c HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n3\nabc\n", "2\nde\n0\n\n"},
			[]int{1},
			[]string{`chunk 0 "abc"`, `chunk 3 "de"`, `request /c "abcde"`, "close eof"},
		},
		{"trace 16: a bad request is answered, and its connection says why", []string{"\x00\x01\x02\n\n"}, nil, []string{
			"error 400 method is not a token", "close failed:http",
		}},
	} {
		var r *rig
		r = newRig(t, func(e any) event.Verdict {
			if q, ok := e.(*loopev.HTTPRequest); ok {
				body, _ := q.Req.Body()
				r.log = append(r.log, fmt.Sprintf("request %s %q", q.Path, body))
			}
			return tell(e)
		})
		r.bind(loopev.OnHTTPRequest.ID(), loopev.OnHTTPChunk.ID(), loopev.OnHTTPError.ID(), loopev.OnClose.ID())
		p := r.peer()
		for i, s := range c.send {
			if i > 0 {
				time.Sleep(20 * time.Millisecond) // what tells nothing arrives by itself, too
				r.logged(c.seen[i-1])
			}
			p.send(s)
		}
		r.logged(len(c.want) - 1)
		_ = p.Conn.(*net.TCPConn).CloseWrite()
		if d := cmp.Diff(c.want, r.logged(len(c.want))); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}
