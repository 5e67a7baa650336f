package web

import (
	"io"
	"testing"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
)

// TestNoAllocation counts what the loop, the parser and the answer allocate for a
// request over a connection that stays: the rest is the handlers'.
func TestNoAllocation(t *testing.T) {
	answer := reply(200, "hello\n")
	r := newRig(t, func(e any) event.Verdict {
		if q, ok := e.(*loopev.HTTPRequest); ok && q.Path == "/" {
			return answer
		}
		return event.Verdict{}
	})
	for name, points := range map[string][]event.PointID{
		"request": {loopev.OnHTTPRequest.ID()},
		"headers": {loopev.OnHTTPRequest.ID(), loopev.OnHTTPHeaders.ID()},
	} {
		r.bind(points...)
		p := r.peer()
		request := []byte("GET / HTTP/1.1\r\nHost: 127.0.0.1:18080\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n")
		p.send("GET / HTTP/1.1\nHost: 127.0.0.1:18080\n\n")
		if got := p.answer("GET"); got != "200 hello" {
			t.Fatal(got)
		}
		in := make([]byte, len("HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 05:52:57 GMT\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 6\r\n\r\nhello\n"))
		n := testing.AllocsPerRun(500, func() {
			if _, err := p.Write(request); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(p.Conn, in); err != nil {
				t.Fatal(err)
			}
		})
		if n > 0 {
			t.Errorf("%s: %v allocations a request", name, n)
		}
		_ = p.Close()
	}
}
