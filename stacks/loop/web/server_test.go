package web

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
)

// TestServer sends requests as bytes and compares the answers.
func TestServer(t *testing.T) {
	t.Parallel()
	r := newRig(t, tell, event.KV{Key: "body", Value: 16.0})
	for _, c := range []struct {
		name, input string
		want        []string
	}{
		{"one", "GET /a?b HTTP/1.1\nHost: x\n\n", []string{`200 GET /a?b ""`}},
		{"pipeline", "GET /1 HTTP/1.1\nHost: x\n\nGET /2 HTTP/1.1\nHost: x\n\nGET /3 HTTP/1.1\nHost: x\nConnection: close\n\nGET /4 HTTP/1.1\nHost: x\n\n", []string{`200 GET /1? ""`, `200 GET /2? ""`, `200 GET /3? ""!`}},
		{"length", "POST / HTTP/1.1\nHost: x\nContent-Length: 5\n\nhelloGET / HTTP/1.1\nHost: x\n\n", []string{`200 POST /? "hello"`, `200 GET /? ""`}},
		{"chunks", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n3\nabc\n2;x\nde\n0\nA: b\n\nGET / HTTP/1.1\nHost: x\n\n", []string{`200 POST /? "abcde"`, `200 GET /? ""`}},
		{"old", "GET / HTTP/1.0\n\n", []string{`200 GET /? ""!`}},
		{"old, kept", "GET / HTTP/1.0\nConnection: keep-alive\n\nGET / HTTP/1.0\n\n", []string{`200 GET /? ""`, `200 GET /? ""!`}},
		{"empty line between", "POST / HTTP/1.1\nHost: x\nContent-Length: 1\n\na\nGET / HTTP/1.1\nHost: x\n\n", []string{`200 POST /? "a"`, `200 GET /? ""`}},
		{"too long", "POST / HTTP/1.1\nHost: x\nContent-Length: 17\n\n", []string{"413 request entity too large!"}},
		{"too long in chunks", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n10\n0123456789abcdef\n1\nx", []string{"413 request entity too large!"}},
		{"malformed", "GET / HTTP/1.1\nHost : x\n\n", []string{"400 bad request!"}},
		{"both lengths", "POST / HTTP/1.1\nHost: x\nContent-Length: 1\nTransfer-Encoding: chunked\n\n", []string{"400 bad request!"}},
		{"bad chunk", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\nx\n", []string{"400 bad request!"}},
		{"no host", "GET / HTTP/1.1\n\n", []string{"400 bad request!"}},
		{"long line", "GET /" + strings.Repeat("a", 9000) + " HTTP/1.1\n\n", []string{"414 request uri too long!"}},
		{"long head", "GET / HTTP/1.1\nA: " + strings.Repeat("a", 33000) + "\n\n", []string{"431 request header fields too large!"}},
		{"other coding", "POST / HTTP/1.1\nHost: x\nTransfer-Encoding: gzip, chunked\n\n", []string{"501 not implemented!"}},
		{"other version", "GET / HTTP/2.0\n\n", []string{"505 http version not supported!"}},
		{"expectation", "POST / HTTP/1.1\nHost: x\nExpect: a miracle\nContent-Length: 1\n\n", []string{"417 expectation failed!"}},
	} {
		for _, piece := range []int{len(c.input), 3} {
			if piece == 3 && len(c.input) > 1000 {
				continue
			}
			p := r.peer()
			for part := range slices.Chunk([]byte(c.input), piece) {
				p.send(string(part))
				if piece == 3 {
					time.Sleep(100 * time.Microsecond)
				}
			}
			var got []string
			for range c.want {
				got = append(got, p.answer("GET"))
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("%s, in pieces of %d: %s", c.name, piece, d)
			}
			if strings.HasSuffix(got[len(got)-1], "!") {
				p.ended()
			}
			_ = p.Close()
		}
	}
}

func TestContinue(t *testing.T) {
	t.Parallel()
	p := newRig(t, tell).peer()
	p.send("POST / HTTP/1.1\nHost: x\nExpect: 100-continue\nContent-Length: 2\n\n")
	line, err := p.in.ReadString('\n')
	if err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q %v", line, err)
	}
	if _, err := p.in.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	p.send("ok")
	if got := p.answer("POST"); got != `200 POST /? "ok"` {
		t.Error(got)
	}
}

// TestAnswers has the verdicts of a rule become bytes.
func TestAnswers(t *testing.T) {
	t.Parallel()
	verdicts := map[string]event.Verdict{
		"/plain":   reply(200, "hi"),
		"/fields":  reply(200, "{}", event.KV{Key: "Content-Type", Value: "application/json"}, event.KV{Key: "Set-Cookie", Value: []any{"a=1", "b=2"}}, event.KV{Key: "X-N", Value: 7.0}),
		"/none":    reply(204, "dropped"),
		"/same":    reply(304, ""),
		"/close":   reply(200, "bye", event.KV{Key: "Connection", Value: "close"}),
		"/split":   reply(200, "x", event.KV{Key: "A", Value: "b\r\nC: d"}),
		"/name":    reply(200, "x", event.KV{Key: "A B", Value: "c"}),
		"/status":  reply(99, ""),
		"/unasked": {},
		"/failed":  {Failed: true},
	}
	r := newRig(t, func(e any) event.Verdict {
		if q, ok := e.(*loopev.HTTPRequest); ok {
			return verdicts[q.Path]
		}
		return event.Verdict{}
	})
	for _, c := range []struct{ path, method, want string }{
		{"/plain", "GET", "200 hi"},
		{"/plain", "HEAD", "200 "},
		{"/fields", "GET", "200 {}"},
		{"/none", "GET", "204 "},
		{"/same", "GET", "304 "},
		{"/close", "GET", "200 bye!"},
		{"/split", "GET", "500 internal server error!"},
		{"/name", "GET", "500 internal server error!"},
		{"/status", "GET", "500 internal server error!"},
		{"/unasked", "GET", "404 not found"},
		{"/failed", "GET", "500 internal server error"},
		{"x:1", "CONNECT", "405 method not allowed"},
		{"/", "TRACE", "405 method not allowed"},
	} {
		p := r.peer()
		p.send(c.method + " " + c.path + " HTTP/1.1\nHost: x\n\n")
		if got := p.answer(c.method); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.method, c.path, got, c.want)
		}
		_ = p.Close()
	}
	res, err := http.Get(r.url + "/fields")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	h := res.Header
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil || time.Since(date) > time.Minute || h.Get("Content-Type") != "application/json" || len(h["Set-Cookie"]) != 2 || h.Get("X-N") != "7" {
		t.Errorf("%v %v", h, err)
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestHeaders has a rule answer, or not, before the body.
func TestHeaders(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(e any) event.Verdict {
		switch e := e.(type) {
		case *loopev.HTTPHeaders:
			switch _, whole := e.Req.Body(); {
			case whole:
				return reply(500, "the body is there")
			case e.Path == "/no":
				return reply(403, "no")
			case e.Path == "/big":
				return event.Verdict{Kind: loopev.VerdictStream}
			}
		case *loopev.HTTPChunk:
			switch string(e.Chunk) {
			case "stop":
				_ = e.C.Reply(nil, 409, []byte("stopped"), nil, false)
			case "drop":
				_ = e.C.SetDeleteChunk(nil, true)
			case "keep":
				_ = e.C.SetDeleteChunk(nil, false)
			}
		}
		return tell(e)
	}, event.KV{Key: "body", Value: "8B"})
	r.bind(loopev.OnHTTPRequest.ID(), loopev.OnHTTPHeaders.ID(), loopev.OnHTTPChunk.ID())
	p := r.peer()
	p.send("GET /yes HTTP/1.1\nHost: x\n\nPOST /big HTTP/1.1\nHost: x\nContent-Length: 12\n\nhello, worldPOST /no HTTP/1.1\nHost: x\nContent-Length: 3\n\n")
	for _, want := range []string{`200 GET /yes? ""`, `200 POST /big? ""`, "403 no!"} {
		if got := p.answer("GET"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	p.ended()
	if got := r.logged(1); got[0] != `chunk 0 "hello, world"` {
		t.Error(got)
	}
	// With the flag delete_chunk a body is of any length, and there is none of it for the whole;
	// without it the next one is.
	p = r.peer()
	p.send("POST /d HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n4\ndrop\n4\nmore\n4\nkeep\n4\nmore\n0\n\n" +
		"POST /e HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n4\nkept\n4\nmore\n0\n\n")
	for _, want := range []string{`200 POST /d? ""`, `200 POST /e? "keptmore"`} {
		if got := p.answer("POST"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	p = r.peer()
	p.send("POST /c HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n4\nstop\n")
	if got := p.answer("POST"); got != "409 stopped!" {
		t.Error(got)
	}
	p.ended()
}

// TestWaiting has a handler wait while more comes; what it was shown lasts.
func TestWaiting(t *testing.T) {
	t.Parallel()
	var seen loopev.Request
	r := newRig(t, func(e any) event.Verdict {
		if q, ok := e.(*loopev.HTTPRequest); ok {
			seen = q.Req
		}
		return event.Verdict{}
	})
	r.do(func() {
		r.wait = func(e any) bool { q, ok := e.(*loopev.HTTPRequest); return ok && q.Path == "/wait" }
	})
	p := r.peer()
	p.send("POST /wait HTTP/1.1\nHost: x\nContent-Length: 5\n\nhello")
	p.send("GET /next HTTP/1.1\nHost: x\n\n")
	time.Sleep(20 * time.Millisecond)
	p.send(strings.Repeat("GET /more HTTP/1.1\nHost: x\n\n", 100))
	time.Sleep(20 * time.Millisecond)
	r.do(func() {
		body, _ := seen.Body()
		if got := seen.Path() + " " + string(body); got != "/wait hello" {
			t.Error(got)
		}
	})
	r.free(reply(200, "at last"))
	for _, want := range []string{"200 at last", "404 not found", "404 not found"} {
		if got := p.answer("GET"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	// One that leaves while its handler waits.
	gone := r.peer()
	gone.send("GET /wait HTTP/1.1\nHost: x\n\n")
	time.Sleep(20 * time.Millisecond)
	_ = gone.Close()
	for {
		n := 0
		r.do(func() { n = len(r.pending) })
		if r.free(reply(200, "nobody")); n > 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
}

// TestLater has answers come when their handlers are long over, whole and in parts.
func TestLater(t *testing.T) {
	t.Parallel()
	var conns []loopev.Conn
	r := newRig(t, func(e any) event.Verdict {
		q, ok := e.(*loopev.HTTPRequest)
		if !ok {
			return event.Verdict{}
		}
		if q.Path == "/at-once" {
			if err := q.C.Reply(nil, 200, []byte("at once"), nil, false); err != nil {
				t.Error(err)
			}
			if q.C.Reply(nil, 200, nil, nil, false) == nil || q.Req.Path() != "/at-once" {
				t.Error("answered twice")
			}
			return event.Verdict{}
		}
		conns = append(conns, q.C)
		return event.Verdict{Kind: loopev.VerdictLater}
	}, event.KV{Key: "reply_time", Value: "500ms"})
	last := func() (c loopev.Conn) {
		for c == nil {
			r.do(func() {
				if len(conns) > 0 {
					c, conns = conns[0], nil
				}
			})
			time.Sleep(time.Millisecond)
		}
		return c
	}
	p := r.peer()
	p.send("GET /1 HTTP/1.1\nHost: x\n\nGET /at-once HTTP/1.1\nHost: x\n\n")
	c := last()
	r.do(func() {
		if err := c.Reply(nil, 200, []byte("later"), nil, false); err != nil {
			t.Error(err)
		}
	})
	r.g.Wake()
	if got := p.answer("GET") + ", " + p.answer("GET"); got != "200 later, 200 at once" {
		t.Error(got)
	}
	p.send("GET /2 HTTP/1.1\nHost: x\n\n")
	c = last()
	r.do(func() {
		if err := c.Reply(nil, 200, []byte("a"), nil, true); err != nil {
			t.Error(err)
		}
		c.WriteChunk(&event.Caller{Shard: r.sh}, []byte("bc"), func(err error) {
			if err != nil {
				t.Error(err)
			}
		})
		if err := c.EndReply(nil); err != nil {
			t.Error(err)
		}
		if c.EndReply(nil) == nil || c.Reply(nil, 200, nil, nil, false) == nil {
			t.Error("there is nothing to answer")
		}
	})
	r.g.Wake()
	if got := p.answer("GET"); got != "200 abc" {
		t.Error(got)
	}
	p.send("GET /3 HTTP/1.1\nHost: x\n\n")
	if got := p.answer("GET"); got != "504 gateway timeout!" {
		t.Error(got)
	}
	p.ended()
}

// TestDeadlines has slow clients answered, and idle ones closed.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	r := newRig(t, tell, event.KV{Key: "header_time", Value: "100ms"}, event.KV{Key: "body_time", Value: "100ms"}, event.KV{Key: "idle_time", Value: "500ms"})
	for _, c := range []struct{ input, want, reason string }{
		{"GET / HT", "408 request timeout!", "close timeout:header"},
		{"POST / HTTP/1.1\nHost: x\nContent-Length: 5\n\nhe", "408 request timeout!", "close timeout:body"},
		{"GET / HTTP/1.1\nHost: x\n\n", `200 GET /? ""`, "close timeout:idle"},
		{"", "", "close timeout:idle"},
	} {
		p := r.peer()
		p.send(c.input)
		if c.want != "" {
			if got := p.answer("GET"); got != c.want {
				t.Errorf("%q: %s", c.input, got)
			}
		}
		p.ended()
		_ = p.Close()
		for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			found := false
			r.do(func() {
				if found = slices.Contains(r.log, c.reason); found {
					r.log = nil
				}
			})
			if found {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%q: never %s", c.input, c.reason)
			}
		}
	}
}

// TestHalfClose answers a client that ended its stream.
func TestHalfClose(t *testing.T) {
	t.Parallel()
	r := newRig(t, tell)
	p := r.peer()
	p.send("GET /a HTTP/1.1\nHost: x\n\nGET /b HTTP/1.1\nHost: x\n\n")
	if err := p.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got := p.answer("GET") + p.answer("GET"); got != `200 GET /a? ""200 GET /b? ""` {
		t.Error(got)
	}
	p.ended()
}

// TestDrain closes idle connections at once, and others after their answers.
func TestDrain(t *testing.T) {
	t.Parallel()
	r := newRig(t, tell)
	r.do(func() { r.wait = func(e any) bool { _, ok := e.(*loopev.HTTPRequest); return ok } })
	idle, busy := r.peer(), r.peer()
	busy.send("GET / HTTP/1.1\nHost: x\n\n")
	for n := 0; n == 0; {
		r.do(func() { n = len(r.pending) })
		time.Sleep(time.Millisecond)
	}
	r.g.Drain(5 * time.Second)
	idle.ended()
	r.free(reply(200, "done"))
	if got := busy.answer("GET"); got != "200 done!" {
		t.Error(got)
	}
	busy.ended()
}

// TestCompress compresses for who takes it.
func TestCompress(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("all work and no play. ", 100)
	r := newRig(t, func(e any) event.Verdict {
		q, ok := e.(*loopev.HTTPRequest)
		switch {
		case !ok:
			return event.Verdict{}
		case q.Path == "/short":
			return reply(200, "short")
		case q.Path == "/png":
			return reply(200, long, event.KV{Key: "content-type", Value: "image/png"})
		}
		return reply(200, long)
	}, event.KV{Key: "compress", Value: true})
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	defer client.CloseIdleConnections()
	for _, c := range []struct{ path, accept, coding string }{
		{"/", "gzip", "gzip"}, {"/", "br, GZIP;q=0.5", "gzip"}, {"/", "gzip;q=0", ""}, {"/", "", ""}, {"/short", "gzip", ""}, {"/png", "gzip", ""},
	} {
		q, _ := http.NewRequest("GET", r.url+c.path, nil)
		q.Header.Set("Accept-Encoding", c.accept)
		res, err := client.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if got := res.Header.Get("Content-Encoding"); err != nil || got != c.coding || c.coding != "" && len(body) > 200 {
			t.Errorf("%s %q: %q, %d bytes, %v", c.path, c.accept, got, len(body), err)
		}
	}
	res, err := http.Get(r.url) // decodes itself
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if string(body) != long || err != nil || !res.Uncompressed {
		t.Errorf("%q %v", body, err)
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestHeadersTakeTime has a handler of the headers wait for longer than a request may
// take to come.
func TestHeadersTakeTime(t *testing.T) {
	t.Parallel()
	for _, parts := range [][]string{{"GET / HTTP/1.1\nHost: x\n\n"}, {"GET / HTTP/1.1\n", "Host: x\n\n"}} {
		t.Run(fmt.Sprint(len(parts)), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, tell, event.KV{Key: "idle_time", Value: "500ms"}, event.KV{Key: "header_time", Value: "500ms"})
			r.bind(loopev.OnHTTPHeaders.ID(), loopev.OnHTTPRequest.ID())
			r.do(func() { r.wait = func(e any) bool { _, ok := e.(*loopev.HTTPHeaders); return ok } })
			p := r.peer()
			for _, part := range parts {
				p.send(part)
				time.Sleep(10 * time.Millisecond)
			}
			time.Sleep(800 * time.Millisecond)
			r.free(event.Verdict{})
			if got := p.answer("GET"); got != `200 GET /? ""` {
				t.Error(got)
			}
			p.ended() // of an idle one
		})
	}
}
