package web

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/loopev"
	"github.com/hookd/hookd/stacks/loop"
	"github.com/hookd/hookd/stacks/loop/http1"
)

// ask asks as http.request does, waits, and returns status and body.
func (r *rig) ask(q loop.Ask) (string, error) {
	r.t.Helper()
	list, err := r.response(q)
	if err != nil {
		return "", err
	}
	return fmt.Sprint(list[0].Value, " ", list[3].Value), nil
}

// response asks as http.request does, and waits.
func (r *rig) response(q loop.Ask) ([]event.KV, error) {
	r.t.Helper()
	type result struct {
		response any
		err      error
	}
	ch := make(chan result, 2)
	r.do(func() {
		by := &event.Caller{Shard: r.sh, Waiter: &event.Waiter{}}
		var s *loop.Stack = r.g.Stack(r.sh)
		r.p.Ask(by, s, q, func(response any, err error) { ch <- result{response, err} })
	})
	select {
	case got := <-ch:
		if got.err != nil {
			return nil, got.err
		}
		return got.response.([]event.KV), nil
	case <-time.After(time.Minute):
		r.t.Fatal("no answer")
	}
	return nil, nil
}

// TestClient asks net/http's server.
func TestClient(t *testing.T) {
	t.Parallel()
	var conns atomic.Int32
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		fmt.Fprintf(w, "%s %s %q %s", q.Method, q.URL.RawQuery, body, q.Header.Get("X-Test"))
	})
	mux.HandleFunc("/chunks", func(w http.ResponseWriter, _ *http.Request) {
		for i := range 3 {
			fmt.Fprint(w, i)
			w.(http.Flusher).Flush()
		}
	})
	mux.HandleFunc("/big", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", 5000)) })
	mux.HandleFunc("/slow", func(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() })
	mux.HandleFunc("/there", func(w http.ResponseWriter, q *http.Request) { http.Redirect(w, q, "/echo?moved", http.StatusFound) })
	mux.HandleFunc("/same", func(w http.ResponseWriter, q *http.Request) {
		http.Redirect(w, q, "/echo?same", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/round", func(w http.ResponseWriter, q *http.Request) { http.Redirect(w, q, "/round", http.StatusFound) })
	srv := httptest.NewUnstartedServer(mux)
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	srv.Start()
	defer srv.Close()
	responses := 0
	r := newRig(t, func(e any) event.Verdict {
		if _, ok := e.(*loopev.HTTPResponse); ok {
			responses++
		}
		return event.Verdict{}
	})
	r.bind(loopev.OnHTTPResponse.ID())
	for _, c := range []struct {
		q    loop.Ask
		want string // or the error behind "!"
	}{
		{loop.Ask{Method: "GET", URL: srv.URL + "/echo?a=b", Headers: []event.KV{{Key: "X-Test", Value: "yes"}}}, `200 GET a=b "" yes`},
		{loop.Ask{Method: "POST", URL: srv.URL + "/echo", Body: []byte("hello")}, `200 POST  "hello" `},
		{loop.Ask{Method: "DELETE", URL: srv.URL + "/echo"}, `200 DELETE  "" `},
		{loop.Ask{Method: "HEAD", URL: srv.URL + "/big"}, "200 "},
		{loop.Ask{Method: "GET", URL: srv.URL + "/chunks"}, "200 012"},
		{loop.Ask{Method: "GET", URL: srv.URL + "/nothing"}, "404 404 page not found\n"},
		{loop.Ask{Method: "POST", URL: srv.URL + "/there", Body: []byte("x"), Redirects: 1}, `200 GET moved "" `},
		{loop.Ask{Method: "POST", URL: srv.URL + "/same", Body: []byte("x"), Redirects: 1}, `200 POST same "x" `},
		{loop.Ask{Method: "GET", URL: srv.URL + "/there"}, "302 <a href=\"/echo?moved\">Found</a>.\n\n"},
		{loop.Ask{Method: "GET", URL: srv.URL + "/round", Redirects: 5}, "302 <a href=\"/round\">Found</a>.\n\n"},
		{loop.Ask{Method: "GET", URL: srv.URL + "/big", Max: 4999}, "!longer than 4999"},
		{loop.Ask{Method: "GET", URL: srv.URL + "/slow", Timeout: 30 * time.Millisecond}, "!timeout"},
		{loop.Ask{Method: "GET", URL: "http://127.0.0.1:1/"}, "!refused"},
		{loop.Ask{Method: "GET", URL: "ftp://127.0.0.1/"}, "!http:// or https:// expected"},
		{loop.Ask{Method: "G T", URL: srv.URL}, "!no method"},
		{loop.Ask{Method: "GET", URL: srv.URL, Headers: []event.KV{{Key: "Host", Value: "x"}}}, "!not a script's"},
		{loop.Ask{Method: "GET", URL: srv.URL, Headers: []event.KV{{Key: "A", Value: "b\r\nc: d"}}}, "!control"},
	} {
		got, err := r.ask(c.q)
		if err != nil {
			got = "!" + err.Error()
		}
		if got != c.want && (c.want[0] != '!' || !strings.Contains(got, c.want[1:])) {
			t.Errorf("%s %s: %q, want %q", c.q.Method, c.q.URL, got, c.want)
		}
	}
	// Refusals, a response too long and one too late end their connections.
	if n := conns.Load(); n > 4 {
		t.Errorf("%d connections", n)
	}
	r.do(func() {
		if responses < 15 {
			t.Errorf("%d responses were told", responses)
		}
	})
}

// TestClientOfClosers asks servers that close: after each response, for its end,
// and just when the next request comes.
func TestClientOfClosers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, response, method, want string }{
		{"by close", "HTTP/1.1 200 OK\r\n\r\nall of it", "GET", "200 all of it"},
		{"closing", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", "GET", "200 ok"},
		{"silently", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "GET", "200 ok"},
		{"hints first", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", "GET", "204 "},
		{"cut", "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok", "GET", "!"},
		{"malformed", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "GET", "!"},
		{"both lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "GET", "!"},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				s, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = s.Read(make([]byte, 1000))
				_, _ = io.WriteString(s, c.response)
				_ = s.Close()
			}
		}()
		r := newRig(t, nil)
		for range 3 {
			got, err := r.ask(loop.Ask{Method: c.method, URL: "http://" + l.Addr().String()})
			if err != nil {
				got = "!"
			}
			if got != c.want {
				t.Errorf("%s: %q, %v, want %q", c.name, got, err, c.want)
			}
		}
		_ = l.Close()
	}
}

// TestNobodyWaits ends a request of which the script is gone.
func TestNobodyWaits(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		<-q.Context().Done()
		close(gone)
	}))
	defer srv.Close()
	r := newRig(t, nil)
	w := &event.Waiter{}
	r.do(func() {
		r.p.Ask(&event.Caller{Shard: r.sh, Waiter: w}, r.g.Stack(r.sh), loop.Ask{Method: "GET", URL: srv.URL}, func(any, error) {
			t.Error("somebody was told")
		})
	})
	time.Sleep(30 * time.Millisecond)
	r.do(w.Cancel)
	r.g.Wake()
	select {
	case <-gone:
	case <-time.After(time.Minute):
		t.Error("the connection is still there")
	}
	r.do(func() {
		if d := r.p.desk(r.g.Stack(r.sh)); d.asking != 0 || d.pooled != 0 {
			t.Errorf("%d asking, %d pooled", d.asking, d.pooled)
		}
	})
}

// TestRedirectToTheClear keeps what is secret from a connection that is not encrypted,
// also where it goes to the same host.
func TestRedirectToTheClear(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		fmt.Fprintf(w, "%q %q %q", q.Header.Get("Authorization"), q.Header.Get("Cookie"), q.Header.Get("X-Test"))
	}))
	defer srv.Close()
	host := strings.TrimPrefix(srv.URL, "http://")
	p := http1.NewParser(http1.Limits{})
	if _, err := p.Response([]byte("HTTP/1.1 302 Found\r\nLocation: " + srv.URL + "\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, nil)
	for scheme, want := range map[string]string{"https": `200 "" "" "yes"`, "http": `200 "secret" "a=b" "yes"`} {
		got := make(chan string, 1)
		r.do(func() {
			d := r.p.desk(r.g.Stack(r.sh))
			d.asking++
			a := &query{d: d, at: &url.URL{Scheme: scheme, Host: host}, redirects: 1, done: func(v any, err error) {
				list, _ := v.([]event.KV)
				if err != nil || len(list) < 4 {
					got <- fmt.Sprint("error ", err)
					return
				}
				got <- fmt.Sprint(list[0].Value, " ", list[3].Value)
			}}
			a.q = loop.Ask{Method: "GET", Max: 1000, Headers: []event.KV{{Key: "Authorization", Value: "secret"}, {Key: "cookie", Value: "a=b"}, {Key: "X-Test", Value: "yes"}}}
			if !a.again(&p.Head) {
				got <- "not followed"
			}
		})
		if got := <-got; got != want {
			t.Errorf("from %s: %s, want %s", scheme, got, want)
		}
	}
}

// TestDrainKeepsNoPool lets a loop that drains end with the last response.
func TestDrainKeepsNoPool(t *testing.T) {
	t.Parallel()
	asked, goOn := make(chan struct{}), make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(asked)
		<-goOn
	}))
	defer srv.Close()
	r := newRig(t, nil)
	go func() {
		<-asked
		r.g.Drain(20 * time.Second)
		close(goOn)
	}()
	if got, err := r.ask(loop.Ask{Method: "GET", URL: srv.URL}); got != "200 " {
		t.Error(got, err)
	}
	r.do(func() {
		if d := r.p.desk(r.g.Stack(r.sh)); d.pooled != 0 {
			t.Errorf("%d connections are kept", d.pooled)
		}
	})
}
